/** Loading a state: which keys fit, and what is said about those that do not. Nothing is assigned before all is checked. */
import { sameShape, showShape, type Tensor, ValueError, type Variable } from '@dl/tensor';

/** Tensors under keys such as `conv1.weight`. */
export type StateDict = Readonly<Record<string, Tensor>>;

export interface LoadStateOptions {
  /** Whether keys that do not fit are an error. Default true; false loads what fits and returns the rest. */
  readonly strict?: boolean;
  /** The key here for a key of the state; null leaves the entry out. */
  readonly rename?: (key: string) => string | null;
}

/** A key whose shapes differ. */
export interface Misshapen {
  readonly key: string;
  readonly expected: readonly number[];
  readonly found: readonly number[];
}

/** The keys that did not fit. */
export interface LoadReport {
  /** Here, but not in the state. */
  readonly missing: readonly string[];
  /** In the state, but not here. */
  readonly unexpected: readonly string[];
  readonly misshapen: readonly Misshapen[];
}

/** A state whose keys or shapes are not those of the module. */
export class StateDictError extends ValueError implements LoadReport {
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
  readonly misshapen: readonly Misshapen[];

  constructor(owner: string, report: LoadReport) {
    super(
      `loadStateDict: the state does not fit the ${owner}: ${describe(report)}. Use rename to map keys, or strict: false to load what fits.`,
    );
    this.missing = report.missing;
    this.unexpected = report.unexpected;
    this.misshapen = report.misshapen;
  }
}

/** As many keys of a kind as a message lists. */
const LISTED = 8;

function list(items: readonly string[]): string {
  const more = items.length > LISTED ? `, and ${items.length - LISTED} more` : '';
  return items.slice(0, LISTED).join(', ') + more;
}

function describe({ missing, unexpected, misshapen }: LoadReport): string {
  const parts: string[] = [];
  if (missing.length > 0) parts.push(`missing: ${list(missing)}`);
  if (unexpected.length > 0) parts.push(`unexpected: ${list(unexpected)}`);
  if (misshapen.length > 0) {
    parts.push(
      `misshapen: ${list(misshapen.map((m) => `${m.key} is ${showShape(m.expected)} here, ${showShape(m.found)} in the state`))}`,
    );
  }
  return parts.join('; ');
}

export function loadState(
  owner: string,
  variables: readonly (readonly [string, Variable])[],
  state: StateDict,
  { strict = true, rename = (key) => key }: LoadStateOptions,
): LoadReport {
  const own = new Map(variables);
  const given = new Map<string, Tensor>();
  const unexpected: string[] = [];
  for (const [key, value] of Object.entries(state)) {
    const renamed = rename(key);
    if (renamed === null) continue;
    if (own.has(renamed)) given.set(renamed, value);
    else unexpected.push(key);
  }
  const missing = variables.map(([key]) => key).filter((key) => !given.has(key));
  const misshapen: Misshapen[] = [];
  for (const [key, value] of given) {
    const variable = own.get(key)!;
    if (!sameShape(variable.shape, value.shape)) misshapen.push({ key, expected: variable.shape, found: value.shape });
  }
  const report = { missing, unexpected, misshapen };
  if (strict && missing.length + unexpected.length + misshapen.length > 0) throw new StateDictError(owner, report);
  const wrong = new Set(misshapen.map((m) => m.key));
  for (const [key, value] of given) if (!wrong.has(key)) own.get(key)!.assign(value);
  return report;
}
