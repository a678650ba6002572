/*
 * What runs in a worker, and how one is started. The program of a worker is a text of a few lines, because neither
 * bundlers nor static servers then need to know of another file; all that is more than glue is in the walker's
 * module. Node, Bun and Deno run the text by worker_threads, browsers by a Blob's address.
 */
import { control, moduleRecord, threadState } from './layout';
import { builtin } from './threads';
import { outcome } from './walker';

/** What a worker is given at its start. */
export interface WorkerStart {
  readonly memory: WebAssembly.Memory;
  readonly walker: Uint8Array<ArrayBuffer>;
  readonly id: number;
  /** Address of its words. */
  readonly state: number;
  readonly tableSize: number;
}

export interface StartedWorker {
  terminate(): unknown;
}

/** The imports mod, sin and cos must be those of executable.ts, to the bit. */
const source = `
const start = ({ memory, walker, id, state, tableSize }) => {
  let words = new Int32Array(memory.buffer);
  const word = (address) => words[address >>> 2];
  const table = new WebAssembly.Table({ element: 'anyfunc', initial: tableSize });
  const mod = (x, y) => {
    const rest = x % y;
    return rest !== 0 && rest < 0 !== y < 0 ? rest + y : rest;
  };
  const env = { memory, mod, sin: Math.sin, cos: Math.cos };
  let loaded = 0;
  let last = 0;
  const load = () => {
    const published = Atomics.load(words, ${control.published / 4});
    memory.grow(0); // another thread's growth shows in the buffer from now on
    words = new Int32Array(memory.buffer);
    while (loaded < published) {
      last = word(last === 0 ? ${control.firstModule} : last + ${moduleRecord.next}) >>> 0;
      const length = word(last + ${moduleRecord.length});
      if (length > 0) {
        const from = word(last + ${moduleRecord.payload}) >>> 0;
        const bytes = new Uint8Array(memory.buffer, from, length).slice();
        const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env });
        let place = word(last + ${moduleRecord.firstPlace});
        const functions = Object.values(exports);
        const missing = place + functions.length - table.length;
        if (missing > 0) table.grow(Math.max(missing, 256));
        for (const f of functions) table.set(place++, f);
      }
      loaded++;
      Atomics.store(words, (state + ${threadState.loaded}) >>> 2, loaded);
    }
  };
  const walk = new WebAssembly.Instance(new WebAssembly.Module(walker), { env: { memory, table, load } }).exports;
  table.set(0, walk.copy);
  try {
    while (walk.work(id, state) === ${outcome.load}) load();
  } catch (error) {
    Atomics.store(words, ${control.failed / 4}, id);
    Atomics.notify(words, ${control.word / 4});
    throw error;
  }
};
if (typeof require === 'function') start(require('node:worker_threads').workerData);
else onmessage = ({ data }) => {
  postMessage('loaded');
  start(data);
  close();
};
`;

interface NodeWorker extends StartedWorker {
  unref(): void;
  on(event: 'error' | 'exit', listener: (what: unknown) => void): void;
}

interface NodeThreads {
  readonly Worker: new (source: string, options: object) => NodeWorker;
}

interface WebWorker extends StartedWorker {
  postMessage(message: unknown): void;
  onmessage: (() => void) | null;
  onerror: ((event: { message?: string; preventDefault?(): void }) => void) | null;
}

interface Web {
  readonly Worker?: new (url: string, options: object) => WebWorker;
  readonly Blob: new (parts: readonly string[], options: object) => object;
  readonly URL: { createObjectURL(blob: object): string; revokeObjectURL(url: string): void };
}

/** Starts a worker. `died` is told why it ended, at some later turn; also after `terminate`. */
export function startWorker(message: WorkerStart, died: (reason: string) => void): StartedWorker {
  const name = `@dl/backend-cpu ${message.id}`;
  const node = builtin<NodeThreads>('node:worker_threads');
  if (node) {
    const worker = new node.Worker(source, { eval: true, workerData: message, name, execArgv: [] });
    let reason = 'it was ended';
    worker.on('error', (error) => (reason = error instanceof Error ? error.message : String(error)));
    worker.on('exit', () => died(reason));
    worker.unref(); // an idle pool must not keep the process
    return worker;
  }
  const web = globalThis as unknown as Web;
  if (!web.Worker) throw new Error('this runtime has no workers');
  const url = web.URL.createObjectURL(new web.Blob([source], { type: 'text/javascript' }));
  const worker = new web.Worker(url, { name });
  worker.onmessage = () => web.URL.revokeObjectURL(url); // only now is it certain that the text was read
  worker.onerror = (event) => {
    event.preventDefault?.();
    web.URL.revokeObjectURL(url);
    worker.terminate();
    died(event.message ?? 'it could not be started');
  };
  worker.postMessage(message);
  return worker;
}
