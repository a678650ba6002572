/*
 * The order in which work reaches the device: that of the calls. Work waits here while shaders are compiled or while three submits
 * are under way, so that a loop that never looks at a result does not flood the device.
 */

/** One piece of work. */
export interface Work {
  /** What has to be there first, if it is not there yet. */
  readonly ready: Promise<unknown> | null;
  /** Does it; answers whether it submitted commands. */
  go(): boolean;
}

export const maxInFlight = 3;

export class Timeline {
  readonly #waiting: Work[] = [];
  #first = 0;
  #inFlight = 0;
  #isBlocked = false;
  submits = 0;
  /** The most submits that were under way at once. */
  mostInFlight = 0;

  constructor(
    private readonly submitted: () => Promise<unknown>,
    private readonly failed: (error: unknown) => void,
  ) {}

  /** Does the work as soon as all before it has begun. */
  add(work: Work): void {
    this.#waiting.push(work);
    this.#drain();
  }

  get isIdle(): boolean {
    return this.#waiting.length === this.#first;
  }

  /** Forgets what waits; the device is gone. */
  clear(): void {
    const work = this.#waiting.splice(0);
    this.#first = 0;
    for (const each of work) this.#try(each);
  }

  #try(work: Work): boolean {
    try {
      return work.go();
    } catch (error) {
      this.failed(error);
      return false;
    }
  }

  #drain(): void {
    while (!this.#isBlocked && this.#inFlight < maxInFlight && this.#first < this.#waiting.length) {
      const work = this.#waiting[this.#first]!;
      if (work.ready) {
        this.#isBlocked = true;
        const proceed = (): void => {
          this.#isBlocked = false;
          this.#begin(work);
          this.#drain();
        };
        work.ready.then(proceed, (error) => {
          this.failed(error);
          proceed();
        });
        return;
      }
      this.#begin(work);
    }
  }

  #begin(work: Work): void {
    if (this.#waiting[this.#first] !== work) return; // cleared meanwhile
    this.#first++;
    if (this.#first > 1024 || this.#first === this.#waiting.length) {
      this.#waiting.splice(0, this.#first);
      this.#first = 0;
    }
    if (!this.#try(work)) return;
    this.submits++;
    this.#inFlight++;
    this.mostInFlight = Math.max(this.mostInFlight, this.#inFlight);
    const done = (): void => {
      this.#inFlight--;
      this.#drain();
    };
    this.submitted().then(done, done);
  }
}
