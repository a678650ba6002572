/*
 * The code by which threads walk a program (layout.ts), as a WebAssembly module that every thread instantiates with the
 * shared memory and a table of functions of its own.
 *
 * A chunk is claimed by compare-and-swap on the control word. Whoever finishes the last chunk of a phase starts the next
 * one, so the caller never waits for a thread that has claimed nothing: on a machine whose cores are taken it does all the
 * work itself. A phase of steps too small to share is run by the caller. Threads without work look again for some tens
 * of microseconds, then sleep; phases that are worth it wake them.
 */
import { type FunctionBuilder, type Label, type Local, ModuleBuilder } from '../wasm/assembler';
import { activity, control, copyBlock, functionsOfStep, phase, step, threadState } from './layout';

/** What `run` and `work` return. */
export const outcome = {
  /** The program is done; for a worker: the pool ends. */
  done: 0,
  /** The caller has waited for long: look whether the threads are alive, then call again. */
  slow: 1,
  /** A worker must load modules, then call again. */
  load: 2,
} as const;

export interface WalkerExports {
  /** Runs the program whose first phase is at `first`; with 0, goes on with one that was slow. */
  run(first: number, mayWait: number): number;
  /** Takes part in whatever runs. */
  work(id: number, state: number): number;
  copy(begin: number, end: number, block: number, scratch: number): void;
}

export interface WalkerOptions {
  readonly minPages: number;
  readonly maxPages: number;
  /** How often a thread looks again before it sleeps, and the caller before it waits. */
  readonly spins: number;
  /** How long the caller waits before `slow`, in milliseconds; where it may not wait, in spins. */
  readonly patienceMs: number;
  readonly patienceSpins: number;
}

const kernelParams = { params: ['i32', 'i32', 'i32', 'i32'], results: [] } as const;

/** The locals of a walk. */
interface Walk {
  readonly f: FunctionBuilder;
  readonly word: Local;
  readonly phase: Local;
  readonly spins: Local;
  readonly at: Local;
  readonly begin: Local;
  readonly end: Local;
  readonly claimed: Local;
}

function walkOf(f: FunctionBuilder): Walk {
  const [at, begin, end, claimed, phaseAt, spins] = f.locals('i32', 6) as [Local, Local, Local, Local, Local, Local];
  return { f, word: f.local('i64'), phase: phaseAt, spins, at, begin, end, claimed };
}

export class Walker {
  readonly #module = new ModuleBuilder();
  readonly #type: number;
  readonly #load: number;

  constructor(private readonly options: WalkerOptions) {
    const { minPages, maxPages } = options;
    this.#module.importMemory({ minPages, maxPages, shared: true });
    this.#module.importTable('env', 'table', 1);
    this.#load = this.#module.importFunction('env', 'load', { results: [] });
    this.#type = this.#module.type(kernelParams);
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const module = this.#module;
    module.function({ ...kernelParams, export: 'copy' }, emitCopy);
    const advance = module.function({ params: ['i32'] }, emitAdvance);
    const execute = module.function({ params: ['i32', 'i32', 'i32'] }, (f) => this.#emitExecute(f, advance));
    const alone = module.function({ params: ['i32'] }, (f) => this.#emitAlone(f));
    module.function({ params: ['i32', 'i32'], results: ['i32'], export: 'run' }, (f) =>
      this.#emitRun(f, execute, alone, advance),
    );
    module.function({ params: ['i32', 'i32'], results: ['i32'], export: 'work' }, (f) => this.#emitWork(f, execute));
    return module.bytes().slice();
  }

  /** Calls the functions of the step at `at` on [begin, end). */
  #callStep({ f, at, begin, end }: Pick<Walk, 'f' | 'at' | 'begin' | 'end'>, scratch: Local): void {
    for (let i = 0; i < functionsOfStep; i++) {
      const call = () => {
        f.get(begin).get(end).get(at).mem('i32.load', step.block).get(scratch);
        f.get(at)
          .mem('i32.load', step.functions + 4 * i)
          .callIndirect(this.#type);
      };
      if (i === 0) {
        call();
        continue;
      }
      f.get(at)
        .mem('i32.load', step.functions + 4 * i)
        .i32(0)
        .op('i32.ge_s')
        .if(call);
    }
  }

  /** execute(phase, chunk, scratch): one chunk, and the next phase where it was the last. */
  #emitExecute(f: FunctionBuilder, advance: number): void {
    const [own, chunk, scratch] = f.params as [Local, Local, Local];
    const [at, begin, end] = f.locals('i32', 3) as [Local, Local, Local];
    // The last step whose first chunk is not after this one.
    f.get(own).mem('i32.load', phase.endStep).set(at);
    f.loop((again) => {
      f.get(at).i32(step.bytes).op('i32.sub').tee(at);
      f.mem('i32.load', step.firstChunk).get(chunk).op('i32.gt_s').brIf(again);
    });
    f.get(chunk).get(at).mem('i32.load', step.firstChunk).op('i32.sub');
    f.get(at).mem('i32.load', step.chunk).op('i32.mul').set(begin);
    setEnd(f, at, begin, end);
    this.#callStep({ f, at, begin, end }, scratch);
    f.i32(0).i32(1).mem('i32.atomic.rmw.add', control.done).i32(1).op('i32.add');
    f.get(own)
      .mem('i32.load', phase.chunks)
      .op('i32.eq')
      .if(() => f.get(own).call(advance));
  }

  /** alone(phase): every chunk of every step, in order. */
  #emitAlone(f: FunctionBuilder): void {
    const [own] = f.params as [Local];
    const [at, begin, end, last, scratch] = f.locals('i32', 5) as [Local, Local, Local, Local, Local];
    f.get(own).mem('i32.load', phase.firstStep).set(at);
    f.get(own).mem('i32.load', phase.endStep).set(last);
    f.i32(0).mem('i32.load', control.scratchBase).set(scratch);
    f.loop((steps) => {
      f.i32(0).set(begin);
      f.loop((again) => {
        setEnd(f, at, begin, end);
        this.#callStep({ f, at, begin, end }, scratch);
        f.get(end).tee(begin).get(at).mem('i32.load', step.range).op('i32.lt_s').brIf(again);
      });
      f.get(at).i32(step.bytes).op('i32.add').tee(at).get(last).op('i32.lt_u').brIf(steps);
    });
  }

  /** run(first, mayWait). */
  #emitRun(f: FunctionBuilder, execute: number, alone: number, advance: number): void {
    const [first, mayWait] = f.params as [Local, Local];
    const walk = walkOf(f);
    const { patienceMs, patienceSpins, spins } = this.options;
    f.get(first).if(() => start(f, first));
    f.loop((again) => {
      readWord(walk);
      f.get(walk.phase)
        .op('i32.eqz')
        .if(() => f.i32(outcome.done).return());
      const idle = (): void => {
        f.get(walk.phase).mem('i32.load', phase.chunks).op('i32.eqz');
        f.if(() => {
          f.get(walk.phase).call(alone);
          f.get(walk.phase).call(advance);
          f.i32(0).set(walk.spins);
          f.br(again);
        });
        this.#countSpin(walk, spins, again);
        f.get(mayWait).if(
          () => {
            sleep(f, control.callerSleeps, () => {
              f.i32(control.word)
                .get(walk.word)
                .i64(BigInt(patienceMs) * 1_000_000n);
              f.mem('memory.atomic.wait64', 0);
            });
            f.i32(2).op('i32.ne').brIf(again);
          },
          () => this.#countSpin(walk, patienceSpins, again),
        );
        f.i32(outcome.slow).return();
      };
      claim(walk, again, idle);
      f.get(walk.phase).get(walk.claimed).i32(0).mem('i32.load', control.scratchBase).call(execute);
      f.i32(0).set(walk.spins);
      f.br(again);
    });
    f.i32(outcome.done);
  }

  /** work(id, state). */
  #emitWork(f: FunctionBuilder, execute: number): void {
    const [id, state] = f.params as [Local, Local];
    const walk = walkOf(f);
    const be = (what: number) => f.get(state).i32(what).mem('i32.atomic.store', threadState.activity);
    const hasNew = () => {
      f.i32(0).mem('i32.atomic.load', control.published);
      f.get(state).mem('i32.atomic.load', threadState.loaded).op('i32.ne');
    };
    be(activity.awake);
    f.loop((again) => {
      f.i32(0)
        .mem('i32.atomic.load', control.stop)
        .if(() => f.i32(outcome.done).return());
      readWord(walk);
      hasNew();
      f.if(() => f.i32(outcome.load).return());
      const idle = (): void => {
        this.#countSpin(walk, this.options.spins, again);
        be(activity.asleep);
        sleep(f, control.sleepers, () =>
          f.i32(control.word).get(walk.word).i64(-1).mem('memory.atomic.wait64', 0).drop(),
        );
        be(activity.awake);
        f.i32(0).set(walk.spins);
        f.br(again);
      };
      claim(walk, again, idle);
      // The word may have been the same in another run, with modules that came since.
      hasNew();
      f.if(() => f.call(this.#load));
      f.get(state)
        .get(state)
        .mem('i32.load', threadState.taken)
        .i32(1)
        .op('i32.add')
        .mem('i32.store', threadState.taken);
      f.get(walk.phase).get(walk.claimed);
      f.i32(0).mem('i32.load', control.scratchStride).get(id).op('i32.mul');
      f.i32(0).mem('i32.load', control.scratchBase).op('i32.add').call(execute);
      f.i32(0).set(walk.spins);
      f.br(again);
    });
    f.i32(outcome.done);
  }

  /** Looks again, until it has looked `limit` times. */
  #countSpin({ f, spins }: Walk, limit: number, again: Label): void {
    f.get(spins).i32(1).op('i32.add').tee(spins).i32(limit).op('i32.lt_u').brIf(again);
  }
}

/** end = min(range, begin + chunk). */
function setEnd(f: FunctionBuilder, at: Local, begin: Local, end: Local): void {
  f.get(begin).get(at).mem('i32.load', step.chunk).op('i32.add').tee(end);
  f.get(at).mem('i32.load', step.range).get(end);
  f.get(at).mem('i32.load', step.range).op('i32.lt_s').select().set(end);
}

function readWord({ f, word, phase: own }: Walk): void {
  f.i32(0).mem('i64.atomic.load', control.word).tee(word);
  f.i64(32).op('i64.shr_u').op('i32.wrap_i64').set(own);
}

/** Claims a chunk, looks again where another thread was faster, and runs `idle` where there is none. */
function claim({ f, word, phase: own, claimed }: Walk, again: Label, idle: () => void): void {
  f.get(word).op('i32.wrap_i64').op('i32.eqz').if(idle);
  f.i32(0).get(word);
  f.get(word).i64(1).op('i64.sub').mem('i64.atomic.rmw.cmpxchg', control.word);
  f.get(word).op('i64.ne').brIf(again);
  f.get(own).mem('i32.load', phase.chunks).get(word).op('i32.wrap_i64').op('i32.sub').set(claimed);
}

/** Counts itself at `counter` while it waits. */
function sleep(f: FunctionBuilder, counter: number, wait: () => void): void {
  f.i32(0).i32(1).mem('i32.atomic.rmw.add', counter).drop();
  wait();
  f.i32(0).i32(1).mem('i32.atomic.rmw.sub', counter).drop();
}

/** Makes the phase the running one; wakes those who should know. */
function start(f: FunctionBuilder, next: Local): void {
  f.i32(0).i32(0).mem('i32.atomic.store', control.done);
  f.i32(0);
  f.get(next).op('i64.extend_i32_u').i64(32).op('i64.shl');
  f.get(next).mem('i64.load32_u', phase.chunks).op('i64.or').mem('i64.atomic.store', control.word);
  f.i32(0).mem('i32.atomic.load', control.callerSleeps);
  f.i32(0).mem('i32.atomic.load', control.sleepers).i32(0);
  f.get(next).mem('i32.load', phase.wakes).i32(0).mem('i32.load', control.follows).op('i32.or').select();
  f.op('i32.or').if(() => f.i32(control.word).i32(-1).mem('memory.atomic.notify', 0).drop());
}

/** advance(phase): starts the one after it, or ends the program. */
function emitAdvance(f: FunctionBuilder): void {
  const [own] = f.params as [Local];
  f.get(own).mem('i32.load', phase.next).tee(own);
  f.if(
    () => start(f, own),
    () => {
      f.i32(0).i64(0).mem('i64.atomic.store', control.word);
      f.i32(0).mem('i32.atomic.load', control.callerSleeps);
      f.if(() => f.i32(control.word).i32(-1).mem('memory.atomic.notify', 0).drop());
    },
  );
}

/** copy(begin, end, block, scratch): units of a block (layout.ts). */
function emitCopy(f: FunctionBuilder): void {
  const [begin, end, block] = f.params as [Local, Local, Local];
  const [from, to] = f.locals('i32', 2) as [Local, Local];
  const word = (offset: number) => f.get(block).mem('i32.load', offset);
  f.get(begin);
  word(copyBlock.unit).op('i32.mul').set(from);
  f.get(end);
  word(copyBlock.unit).op('i32.mul').tee(to);
  word(copyBlock.length).get(to);
  word(copyBlock.length).op('i32.lt_u').select().set(to);
  word(copyBlock.to).get(from).op('i32.add');
  word(copyBlock.from).get(from).op('i32.add');
  f.get(to).get(from).op('i32.sub').memoryCopy();
}
