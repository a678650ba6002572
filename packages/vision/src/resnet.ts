/**
 * Residual networks for images. This file decides how blocks become stages; sizes and state keys are torchvision's, so that
 * its weights load: `conv1`, `bn1`, `layer1.0.conv1`, …, `layer2.0.downsample.0`, …, `fc`.
 */
import { BatchNorm2d, Conv2d, heNormal, type Layer, Linear, Module, maxPool, relu, Sequential } from '@dl/layers';
import { ShapeError, showShape, type Tensor, ValueError } from '@dl/tensor';

/** A convolution without bias (batch norm follows) that keeps the size, the stride apart; weights as in He et al. 2015. */
const convolution = (inChannels: number, outChannels: number, kernelSize: number, stride = 1): Conv2d =>
  new Conv2d(inChannels, outChannels, kernelSize, {
    stride,
    padding: (kernelSize - 1) / 2,
    bias: false,
    weightInit: (shape, options) => heNormal(shape, { ...options, mode: 'fanOut' }),
  });

/** What brings a block's input to the shape of its output, where they differ. */
const shortcut = (inChannels: number, outChannels: number, stride: number): Sequential | null =>
  inChannels === outChannels && stride === 1
    ? null
    : new Sequential(convolution(inChannels, outChannels, 1, stride), new BatchNorm2d(outChannels));

/**
 * Two 3 × 3 convolutions beside a shortcut: `[N, inChannels, H, W]` to `[N, width, H / stride, W / stride]`.
 * State keys `conv1`, `bn1`, `conv2`, `bn2` and, where shapes change, `downsample`.
 *
 * @see He, Zhang, Ren & Sun 2016, figure 5, left
 */
export class BasicBlock extends Module {
  /** Output channels over `width`. */
  static readonly expansion = 1;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly downsample: Layer | null;

  constructor(inChannels: number, width: number, stride = 1) {
    super();
    this.conv1 = convolution(inChannels, width, 3, stride);
    this.bn1 = new BatchNorm2d(width);
    this.conv2 = convolution(width, width, 3);
    this.bn2 = new BatchNorm2d(width);
    this.downsample = shortcut(inChannels, width, stride);
  }

  forward(x: Tensor): Tensor {
    const h = relu(this.bn1.forward(this.conv1.forward(x)));
    const y = this.bn2.forward(this.conv2.forward(h));
    return relu(y.add(this.downsample?.forward(x) ?? x));
  }
}

/**
 * A 3 × 3 convolution between two of 1 × 1, of which the last has four times the channels: `[N, inChannels, H, W]` to
 * `[N, 4 · width, H / stride, W / stride]`. The stride is that of the 3 × 3, as in torchvision (the paper has it in the first).
 * State keys `conv1`, `bn1`, `conv2`, `bn2`, `conv3`, `bn3` and, where shapes change, `downsample`.
 *
 * @see He, Zhang, Ren & Sun 2016, figure 5, right
 */
export class Bottleneck extends Module {
  /** Output channels over `width`. */
  static readonly expansion = 4;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly downsample: Layer | null;

  constructor(inChannels: number, width: number, stride = 1) {
    super();
    const outChannels = width * Bottleneck.expansion;
    this.conv1 = convolution(inChannels, width, 1);
    this.bn1 = new BatchNorm2d(width);
    this.conv2 = convolution(width, width, 3, stride);
    this.bn2 = new BatchNorm2d(width);
    this.conv3 = convolution(width, outChannels, 1);
    this.bn3 = new BatchNorm2d(outChannels);
    this.downsample = shortcut(inChannels, outChannels, stride);
  }

  forward(x: Tensor): Tensor {
    let h = relu(this.bn1.forward(this.conv1.forward(x)));
    h = relu(this.bn2.forward(this.conv2.forward(h)));
    const y = this.bn3.forward(this.conv3.forward(h));
    return relu(y.add(this.downsample?.forward(x) ?? x));
  }
}

export interface ResNetOptions {
  /** Classes to tell apart. Default 1000, those of ImageNet. */
  readonly numClasses?: number;
  /** Channels of an image. Default 3. */
  readonly inChannels?: number;
}

/** Channels of the four stages, before a block's expansion. */
const widths = [64, 128, 256, 512] as const;

/**
 * A residual network: a 7 × 7 convolution, four stages of blocks, the mean of each channel, and a linear layer.
 *
 * Input `[N, inChannels, H, W]`, at least 1 × 1 (ImageNet's are 224 × 224, normalised by channel); output, logits
 * `[N, numClasses]`.
 *
 * @see He, Zhang, Ren & Sun 2016, table 1
 * @example
 * const model = new ResNet(BasicBlock, [2, 2, 2, 2], { numClasses: 10 }); // resnet18({ numClasses: 10 })
 */
export class ResNet extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly layer4: Sequential;
  readonly fc: Linear;

  /**
   * @param block - `BasicBlock` or `Bottleneck`
   * @param depths - blocks of each of the four stages
   */
  constructor(block: typeof BasicBlock | typeof Bottleneck, depths: readonly number[], options: ResNetOptions = {}) {
    super();
    const { numClasses = 1000, inChannels = 3 } = options;
    if (depths.length !== widths.length || !depths.every((n) => Number.isInteger(n) && n > 0))
      throw new ValueError(`ResNet: depths is [${depths.join(', ')}]. Give the blocks of each of the four stages.`);
    this.conv1 = convolution(inChannels, widths[0], 7, 2);
    this.bn1 = new BatchNorm2d(widths[0]);
    const stage = (i: 0 | 1 | 2 | 3): Sequential => {
      const before = i === 0 ? widths[0] : widths[i - 1]! * block.expansion;
      const first = new block(before, widths[i], i === 0 ? 1 : 2);
      const rest = Array.from({ length: depths[i]! - 1 }, () => new block(widths[i] * block.expansion, widths[i]));
      return new Sequential(first, ...rest);
    };
    this.layer1 = stage(0);
    this.layer2 = stage(1);
    this.layer3 = stage(2);
    this.layer4 = stage(3);
    this.fc = new Linear(widths[3] * block.expansion, numClasses);
  }

  /** The maps of the four stages, at 1/4, 1/8, 1/16 and 1/32 of the image: what a detector or a style loss looks at. */
  features(x: Tensor): [c2: Tensor, c3: Tensor, c4: Tensor, c5: Tensor] {
    if (x.rank !== 4)
      throw new ShapeError(`ResNet: x is ${showShape(x.shape)}. Images are [N, C, H, W]; one image is x.unsqueeze(0).`);
    const stem = maxPool(relu(this.bn1.forward(this.conv1.forward(x))), 3, 2, { stride: 2, padding: 1 });
    const c2 = this.layer1.forward(stem);
    const c3 = this.layer2.forward(c2);
    const c4 = this.layer3.forward(c3);
    return [c2, c3, c4, this.layer4.forward(c4)];
  }

  forward(x: Tensor): Tensor {
    const [, , , c5] = this.features(x);
    return this.fc.forward(c5.mean([2, 3]));
  }
}

/** {@link ResNet} with 18 layers: 11.7 million parameters. */
export const resnet18 = (options: ResNetOptions = {}): ResNet => new ResNet(BasicBlock, [2, 2, 2, 2], options);

/** {@link ResNet} with 34 layers: 21.8 million parameters. */
export const resnet34 = (options: ResNetOptions = {}): ResNet => new ResNet(BasicBlock, [3, 4, 6, 3], options);

/** {@link ResNet} with 50 layers: 25.6 million parameters. */
export const resnet50 = (options: ResNetOptions = {}): ResNet => new ResNet(Bottleneck, [3, 4, 6, 3], options);
