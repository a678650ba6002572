/*
 * A convolution by tiles as a producer of a kernel: what is done before its range, how that may be cut, and the code.
 */
import type { Local, ModuleBuilder } from '../../../wasm/assembler';
import type { Preparation } from '../../render';
import type { Frame } from '../../target';
import { loopAxis, pushFactor, pushOut, rangeOfAxis } from '../addresses';
import { axesOf, type Form, sizeOfRole, without } from '../form';
import { emitCopy, type Stage } from '../stage';
import { emitFilterPanels } from './filters';
import { filterBytes, type Layout, PANEL } from './layout';
import { convolutionCall } from './phases';
import { axesOfConvolution } from './plan';

/** Operations of the transformation of an element of an image's tile, and of reading one of a filter. */
const [imageWork, filterWork] = [1.5, 0.1];

/** What every call repeats: it transforms the image for some filters, or reads the filters for some images. */
export function callCost(
  form: Form,
  { channels, filters, height, width, tileColumns, tileRows, tile }: Layout,
): number {
  if (form.axes[0]?.role === 'batch') return filters * channels * tile.places * filterWork;
  const images = sizeOfRole(form, 'n') / (height * width);
  return images * channels * tileColumns * tileRows * tile.places * imageWork;
}

/** The transformation of the filters. */
export function filterPreparation(form: Form, layout: Layout): Preparation {
  const own = [...axesOf(form, 'm'), ...axesOf(form, 'k')];
  const fixed = without(form.lhs.index, own);
  const { filters, channels, filterStrides, micro, tile } = layout;
  return {
    binding: form.lhs.binding,
    key:
      fixed.terms.length > 0
        ? null
        : JSON.stringify(['filters', tile.size, filters, channels, filterStrides, fixed.constant]),
    sharedBytes: filterBytes(layout),
    range: Math.ceil(filters / PANEL),
    grain: 1,
    work: filters * channels * tile.places,
    emit: (frame) => {
      const arithmetic = { constants: frame.target.constants, fused: micro.fused };
      emitFilterPanels(frame, layout, arithmetic, () => pushFactor(frame, form, form.lhs, own));
    },
  };
}

/** Writes the producer: loops over the batch axes that are not the images. */
export function emitConvolution(
  frame: Frame,
  module: ModuleBuilder,
  { form, layout, stage }: { readonly form: Form; readonly layout: Layout; readonly stage: Stage },
): void {
  const { f } = frame;
  const axes = axesOfConvolution(form)!;
  const { outer, image: last } = axes;
  const inner = [axes.filter, axes.y, axes.x, axes.channel, axes.row, axes.column];
  const convolve = convolutionCall(frame, module, layout);
  const at = (image: Local) => {
    if (last >= 0) frame.counters[last] = image;
  };
  const convolveAll = () => {
    const images = rangeOfAxis(frame, form, last);
    const filters = rangeOfAxis(frame, form, axes.filter);
    convolve({
      images,
      filters,
      copyImage: (image, to) => {
        at(image);
        frame.withScratch(to, () => emitCopy(frame, stage, last >= 0 ? [...outer, last] : outer));
      },
      pushOutput: (image) => {
        at(image);
        pushOut(frame, form, inner);
      },
      pushFilters: () => pushFactor(frame, form, form.lhs, inner),
      pushScratch: () => f.get(frame.scratch),
    });
    filters.release();
    images.release();
  };
  const level = (depth: number): void => {
    if (depth === outer.length) convolveAll();
    else loopAxis(frame, form, outer[depth]!, () => level(depth + 1));
  };
  level(0);
}
