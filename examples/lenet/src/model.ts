/** LeNet-5 (LeCun et al. 1998), with ReLU and max pooling as it is taught today: 61,706 parameters. */
import { Conv2d, Flatten, Linear, MaxPool2d, Module, ReLU, Sequential } from '@dl/layers';
import type { Tensor } from '@dl/tensor';

export class LeNet extends Module {
  readonly features = new Sequential(
    new Conv2d(1, 6, 5, { padding: 2 }), // [B, 6, 28, 28]
    new ReLU(),
    new MaxPool2d(2), // [B, 6, 14, 14]
    new Conv2d(6, 16, 5), // [B, 16, 10, 10]
    new ReLU(),
    new MaxPool2d(2), // [B, 16, 5, 5]
    new Flatten(), // [B, 400]
  );

  readonly classifier = new Sequential(
    new Linear(400, 120),
    new ReLU(),
    new Linear(120, 84),
    new ReLU(),
    new Linear(84, 10), // [B, 10]
  );

  /**
   * @param images - `[B, 1, 28, 28]`
   * @returns a score for each digit, `[B, 10]`
   */
  forward(images: Tensor): Tensor {
    return this.classifier.forward(this.features.forward(images));
  }
}
