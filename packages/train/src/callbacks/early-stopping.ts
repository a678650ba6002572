/** Stopping when a figure no longer improves. */
import type { StateDict } from '@dl/layers';
import { type Tensor, ValueError } from '@dl/tensor';
import type { Callback, RunControl } from '../callback';
import { type EpochReport, figureAt, figurePaths } from '../report';

export interface EarlyStoppingOptions {
  /** The figure: `validation.loss` (the default), `train.loss`, `validation.accuracy`, … */
  readonly monitor?: string;
  /** Whether less is better or more. Default: `max` for an accuracy, else `min`. */
  readonly mode?: 'min' | 'max';
  /** Epochs without improvement that are put up with. Default 3. */
  readonly patience?: number;
  /** How much better counts as an improvement. Default 0. */
  readonly minDelta?: number;
  /** Puts the weights of the best epoch back at the end. Default false. */
  readonly restoreBest?: boolean;
}

interface State {
  readonly best: number | null;
  readonly bestEpoch: number;
  readonly waited: number;
  readonly weights: Readonly<Record<string, Tensor>> | null;
}

/**
 * Ends training when a figure has not improved for `patience` epochs.
 *
 * @throws ValueError after the first epoch, if there is no such figure
 */
export function earlyStopping(options: EarlyStoppingOptions = {}): Callback {
  const { monitor = 'validation.loss', patience = 3, minDelta = 0, restoreBest = false } = options;
  const sign = (options.mode ?? (monitor.endsWith('accuracy') ? 'max' : 'min')) === 'max' ? 1 : -1;
  let state: State = { best: null, bestEpoch: 0, waited: 0, weights: null };

  const see = (report: EpochReport, { model, stop }: RunControl): void => {
    const value = figureAt(report, monitor);
    if (value === undefined)
      throw new ValueError(
        `earlyStopping: there is no figure ${monitor}. There are: ${figurePaths(report).join(', ')}.`,
      );
    if (state.best === null || sign * (value - state.best) > minDelta) {
      const weights: StateDict | null = restoreBest ? model.stateDict() : null;
      state = { best: value, bestEpoch: report.epoch, waited: 0, weights };
      return;
    }
    state = { ...state, waited: state.waited + 1 };
    if (state.waited >= patience) stop(`${monitor} was best in epoch ${state.bestEpoch}, at ${state.best}`);
  };

  return {
    name: 'earlyStopping',
    onEpoch: see,
    onEnd(result, { model }) {
      if (result.status !== 'interrupted' && state.weights !== null) model.loadStateDict(state.weights);
    },
    stateDict: () => state,
    loadStateDict(loaded: State) {
      state = loaded;
    },
  };
}
