import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Linear } from '@dl/layers';
import { setBackend, ValueError } from '@dl/tensor';
import { referenceBackend } from '@dl/testing';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { type EpochReport, earlyStopping, jsonLines, progress, type RunControl, type StepReport } from '../index';
import { barLine, duration, epochLine, short } from './text';

beforeAll(() => setBackend(referenceBackend()));

const epoch = (n: number, loss: number, more: Partial<EpochReport> = {}): EpochReport => ({
  epoch: n,
  epochs: 5,
  step: n * 10,
  train: { loss: 1, accuracy: 0.5 },
  validation: { loss, accuracy: 1 - loss, confusion: [[1]] },
  lr: 0.1,
  seconds: 2,
  stepMsMedian: 3.1418,
  ...more,
});

const step = (batch: number, batches: number | null = 20): StepReport => ({
  epoch: 1,
  epochs: 5,
  batch,
  batches,
  step: batch,
  train: { loss: 0.123456 },
  lr: 0.1,
  seconds: 30,
});

const control = (more: Partial<RunControl> = {}): RunControl => ({
  model: new Linear(1, 1),
  resumedAt: 0,
  epochs: 5,
  stop: vi.fn(),
  ...more,
});

describe('earlyStopping', () => {
  test('stops after the epochs that it puts up with, and counts only real improvements', () => {
    const run = control();
    const callback = earlyStopping({ patience: 2, minDelta: 0.1 });
    for (const [i, loss] of [0.9, 0.7, 0.65, 0.72].entries()) callback.onEpoch!(epoch(i + 1, loss), run);
    expect(run.stop).toHaveBeenCalledExactlyOnceWith('validation.loss was best in epoch 2, at 0.7');
  });

  test('an accuracy is better when larger; NaN is never better', () => {
    const run = control();
    const callback = earlyStopping({ monitor: 'validation.accuracy', patience: 2 });
    for (const [i, loss] of [0.5, 0.4, Number.NaN, 0.3, 0.35].entries()) callback.onEpoch!(epoch(i + 1, loss), run);
    expect(run.stop).not.toHaveBeenCalled();
  });

  test('puts the best weights back at the end, also after a resumption', async () => {
    const run = control();
    const { weight } = run.model as Linear;
    const callback = earlyStopping({ restoreBest: true });
    weight.assign(1);
    callback.onEpoch!(epoch(1, 0.5), run);
    weight.assign(2);
    callback.onEpoch!(epoch(2, 0.6), run);
    const resumed = earlyStopping({ restoreBest: true });
    resumed.loadStateDict!(callback.stateDict!() as never);
    resumed.onEnd!({ status: 'finished', reason: null, step: 2, history: [] }, run);
    expect(await weight.array()).toEqual([[1]]);
  });

  test('a figure that is not there is named with those that are', () => {
    const callback = earlyStopping({ monitor: 'validation.f1' });
    expect(() => callback.onEpoch!(epoch(1, 1), control())).toThrow(ValueError);
    expect(() => callback.onEpoch!(epoch(1, 1), control())).toThrow(
      'earlyStopping: there is no figure validation.f1. There are: train.loss, train.accuracy, validation.loss, validation.accuracy.',
    );
  });
});

describe('progress', () => {
  const record = (isTTY: boolean, columns = 100) => {
    const written: string[] = [];
    return { written, stream: { isTTY, columns, write: (text: string) => written.push(text) } };
  };

  test('plain lines where there is no terminal', () => {
    const { written, stream } = record(false);
    const callback = progress({ stream, everySeconds: 0 });
    callback.onStart!(control({ resumedAt: 7 }));
    callback.onStep!(step(10), control());
    callback.onEpoch!(epoch(1, 0.25), control());
    callback.onEnd!({ status: 'interrupted', reason: null, step: 12, history: [] }, control());
    expect(written).toEqual([
      'going on after step 7\n',
      'epoch 1/5  step 10/20  loss 0.1235\n',
      'epoch 1/5  loss 1  accuracy 0.5  validation loss 0.25  accuracy 0.75  2.0 s  3.142 ms a step\n',
      'interrupted after step 12\n',
    ]);
  });

  test('says little within an epoch where lines pile up', () => {
    const { written, stream } = record(false);
    const callback = progress({ stream });
    callback.onStart!(control());
    callback.onStep!(step(10), control());
    expect(written).toEqual([]);
  });

  test('a bar that stays on its line on a terminal', () => {
    const { written, stream } = record(true, 60);
    const callback = progress({ stream });
    callback.onStep!(step(5), control());
    expect(written[0]!.startsWith('\r\u001b[K')).toBe(true);
    expect(written[0]!.length).toBeLessThan(60 + 4);
    expect(written[0]).not.toContain('\n');
    callback.onEpoch!(epoch(1, 1), control());
    expect(written[1]!.endsWith('\n')).toBe(true);
  });

  test('words', () => {
    expect(barLine(step(5), 8)).toBe('epoch 1/5  step 5/20  loss 0.1235  ██░░░░░░  1 min 30 s left');
    expect(barLine(step(5, null), 8)).toBe('epoch 1/5  step 5  loss 0.1235');
    expect(epochLine(epoch(2, 0, { validation: null }))).toBe(
      'epoch 2/5  loss 1  accuracy 0.5  2.0 s  3.142 ms a step',
    );
    expect([short(0.000123456), short(1234567), short(Number.NaN)]).toEqual(['0.0001235', '1235000', 'NaN']);
    expect([duration(59.96), duration(119.7), duration(3)]).toEqual(['60.0 s', '2 min 0 s', '3.0 s']);
  });
});

describe('jsonLines', () => {
  test('a line a report; a resumed run drops what came after its checkpoint, and half a line', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dl-log-'));
    const file = join(folder, 'logs', 'run.jsonl');
    const first = jsonLines(file);
    await first.onStart!(control());
    await first.onStep!(step(5), control());
    await first.onEpoch!(epoch(1, 0.5), control());
    await first.onStep!(step(15), control());
    await first.onEnd!({ status: 'interrupted', reason: null, step: 15, history: [] }, control());
    await appendFile(file, '{"event":"st');
    await jsonLines(file).onStart!(control({ resumedAt: 10 }));
    const lines = (await readFile(file, 'utf8')).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).step)).toEqual([5, 10]);
    expect(JSON.parse(lines[1]!)).toEqual({ event: 'epoch', ...epoch(1, 0.5) });
    await jsonLines(file).onStart!(control());
    expect(await readFile(file, 'utf8')).toBe('');
    await rm(folder, { recursive: true });
  });
});
