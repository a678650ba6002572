// Runs in the page, or under Deno or Bun: imports packages by their bare names, as whoever installed them does, and trains
// something small. (So it is no dependency of the workspace's root; biome.json says that for this file.)

/** The names that every package exports, by package. */
export async function exportsOf(names) {
  const modules = await Promise.all(names.map((name) => import(name)));
  return Object.fromEntries(modules.map((module, i) => [names[i], Object.keys(module).sort()]));
}

/** How each backend is made. A row throws where the backend has no place. */
const backends = {
  'cpu, 1 thread': async () => (await import('@dl/backend-cpu')).cpu({ threads: 1 }),
  'cpu, all threads': async () => (await import('@dl/backend-cpu')).cpu(),
  webgpu: async () => (await import('@dl/backend-gpu')).webgpu(),
  'gpu.js': async () => (await import('@dl/backend-gpu')).gpujs({ mode: 'webgl2', library: globalThis.GPU }),
};

/**
 * A small convolutional network on generated digits, three epochs: data, layers, gradients, optimiser, the training loop and
 * a checkpoint, on the backend of a row.
 *
 * @returns the loss of each epoch, how the backend describes itself, and the bytes of a checkpoint
 */
export async function train(row) {
  const { setBackend, setSeed } = await import('@dl/tensor');
  const { DataLoader, generateDigits } = await import('@dl/data');
  const { Conv2d, crossEntropy, Flatten, Linear, MaxPool2d, ReLU, Sequential } = await import('@dl/layers');
  const { Adam } = await import('@dl/optim');
  const { encodeCheckpoint, fit } = await import('@dl/train');
  const backend = await backends[row]();
  setBackend(backend);
  setSeed(0);
  const model = new Sequential(
    new Conv2d(1, 4, 5, { padding: 2, stride: 2 }),
    new ReLU(),
    new MaxPool2d(2),
    new Flatten(),
    new Linear(4 * 7 * 7, 10),
  );
  const digits = generateDigits({ count: 320, seed: 1 });
  const { history } = await fit(model, {
    train: new DataLoader(digits, { batchSize: 32, shuffle: true, seed: 0 }),
    epochs: 3,
    optimizer: new Adam(model.parameters(), { lr: 0.01 }),
    loss: crossEntropy,
  });
  const bytes = (await encodeCheckpoint({ model: model.stateDict() })).length;
  return { losses: history.map((epoch) => epoch.train.loss), describe: backend.describe?.() ?? backend.name, bytes };
}

/** What using a path says here, where there are no files: a message a call. */
export async function usePaths() {
  const { CharacterTokenizer, readIdx, saveTokenizer } = await import('@dl/data');
  const { readCheckpoint } = await import('@dl/train');
  const tokenizer = CharacterTokenizer.train('ab');
  const calls = [readIdx('a.idx'), saveTokenizer('a.json', tokenizer), readCheckpoint('a.ckpt')];
  const ends = await Promise.allSettled(calls);
  return ends.map(({ reason }) => (reason ? `${reason.name}: ${reason.message}` : 'no error'));
}
