/*
 * Training: as on the CPU, without new pipelines or buffers from step to step, with flat memory, and again after the device was lost.
 * DL_TRAINING_STEPS=200 follows the curves for longer, DL_MEMORY_STEPS=20000 looks at memory for longer.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpu } from '@dl/backend-cpu';
import { Linear, mse, Sequential, Tanh } from '@dl/layers';
import { Adam } from '@dl/optim';
import { type Backend, BackendError, compile, setBackend, setSeed, type Tensor, tensor } from '@dl/tensor';
import { loadCheckpoint, saveCheckpoint } from '@dl/train';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createWebGpu, type WebGpuBackend } from '../src/webgpu/backend';
import { hasAdapter } from './adapter';
import { gpt, leNet, lossesOn, lstm, type Training } from './models';

const text = { batch: 4, time: 8, vocabulary: 11, width: 16 };
const trainings: Readonly<Record<string, Training>> = {
  LeNet: leNet({ batch: 8, image: 12, channels: [4, 8] }),
  'an LSTM': lstm(text),
  'a GPT': gpt(text),
};

/** Rounding differs in the order of sums and the last bits of exp; over a few steps of Adam it does not grow beyond this. */
const tolerance = 2e-5;

const trainingSteps = Number(process.env['DL_TRAINING_STEPS'] ?? 12);
const memorySteps = Number(process.env['DL_MEMORY_STEPS'] ?? 300);
/** Both may take some minutes on a software adapter. */
const timeout = 60_000 + 20 * memorySteps + 1000 * trainingSteps;

describe.skipIf(!hasAdapter)('training on WebGPU', () => {
  let gpu: WebGpuBackend;
  let reference: Backend;
  beforeAll(async () => {
    gpu = await createWebGpu();
    reference = await cpu();
  });
  afterAll(async () => {
    await gpu.dispose();
    await reference.dispose();
  });

  test.each(Object.entries(trainings))(
    '%s follows the loss curve of the CPU',
    async (name, training) => {
      const wanted = await lossesOn(reference, training, trainingSteps);
      const got = await lossesOn(gpu, training, trainingSteps);
      const differences = wanted.map((loss, i) => Math.abs(got[i]! - loss) / loss);
      if (process.env['DL_TRAINING_STEPS'])
        console.log(`${name}: ${trainingSteps} steps, losses differ by at most`, Math.max(...differences));
      for (const [i, loss] of wanted.entries()) {
        expect(differences[i], `step ${i}: ${got[i]} for ${loss}`).toBeLessThan(tolerance);
      }
      expect(got.at(-1)).toBeLessThan(got[0]!);
    },
    timeout,
  );

  /** A compiled step of a small model that learns exclusive or. */
  const exclusiveOr = () => {
    const model = new Sequential(new Linear(2, 8), new Tanh(), new Linear(8, 1));
    const optimizer = new Adam(model.parameters(), { lr: 0.05 });
    const x = tensor([0, 0, 0, 1, 1, 0, 1, 1], [4, 2]);
    const y = tensor([0, 1, 1, 0], [4, 1]);
    const step = compile((a: Tensor, b: Tensor) => {
      const loss = mse(model.forward(a), b);
      optimizer.minimize(loss);
      return loss;
    });
    return { model, optimizer, step: () => step(x, y) };
  };

  test('a replay is one submit, with no new pipeline, buffer or bind group', async () => {
    setBackend(gpu);
    setSeed(0);
    const { step } = exclusiveOr();
    // One result at a time, so that its few buffers come round.
    for (let i = 0; i < 10; i++) {
      const loss = step();
      await loss.item();
      loss.dispose();
    }
    const before = gpu.counters;
    const { inUse } = gpu.memory();
    for (let i = 0; i < 20; i++) {
      const loss = step();
      await loss.item();
      loss.dispose();
    }
    const after = gpu.counters;
    expect({ ...after, submits: 0 }).toEqual({ ...before, submits: 0 });
    expect(after.submits - before.submits).toBe(2 * 20); // the step, and the read
    expect(gpu.memory().inUse).toBe(inUse);
  });

  test(
    'at most three submits are under way, and hundreds of steps that nobody waits for keep memory flat',
    async () => {
      setBackend(gpu);
      setSeed(0);
      const { step } = exclusiveOr();
      let { peak } = gpu.memory();
      let buffers = 0;
      for (let round = 0; round < memorySteps / 50; round++) {
        let last: Tensor | null = null;
        for (let i = 0; i < 50; i++) {
          last?.dispose();
          last = step();
        }
        await last!.item();
        last!.dispose();
        if (round === 1) {
          peak = gpu.memory().peak;
          buffers = gpu.counters.buffers;
        }
      }
      if (process.env['DL_MEMORY_STEPS']) console.log(`${memorySteps} steps, bytes at most`, gpu.memory().peak);
      expect(gpu.memory().peak).toBe(peak);
      expect(gpu.counters.buffers).toBe(buffers);
      expect(gpu.counters.mostInFlight).toBeLessThanOrEqual(3);
    },
    timeout,
  );

  test('training goes on from a checkpoint after the device was lost', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dl-lost-'));
    const file = join(folder, 'last.ckpt');
    const doomed = await createWebGpu();
    const fresh: WebGpuBackend[] = [];
    try {
      setBackend(doomed);
      setSeed(3);
      const { model, optimizer, step } = exclusiveOr();
      for (let i = 0; i < 5; i++) step();
      await saveCheckpoint(file, { model, optimizer });
      const wanted = [await step().item(), await step().item()];

      doomed.device.destroy();
      const error = await doomed.lost;
      expect(error).toBeInstanceOf(BackendError);
      expect(() => step()).toThrow(/lost.*checkpoint/);
      await expect(doomed.synchronize()).rejects.toThrow('lost');

      fresh.push(await createWebGpu());
      setBackend(fresh[0]!);
      const again = exclusiveOr();
      await loadCheckpoint(file, { model: again.model, optimizer: again.optimizer });
      const got = [await again.step().item(), await again.step().item()];
      expect(got).toEqual(wanted);
    } finally {
      rmSync(folder, { recursive: true });
      await Promise.all(fresh.map((b) => b.dispose()));
    }
  });
});
