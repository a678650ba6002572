/*
 * Where what was measured of an adapter is kept: in Node a file in the user's folder of caches, in browsers and Deno the Cache API, which
 * windows and workers share. Where there is neither, as in a page without an origin, it is measured anew at each start.
 */
import type { TuningStore } from './tuning';

type Files = typeof import('node:fs/promises');
type Paths = typeof import('node:path');

interface Host {
  readonly process?: {
    readonly pid: number;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly versions?: { readonly node?: string };
  };
  readonly Deno?: unknown;
  readonly caches?: {
    open(name: string): Promise<{
      match(url: string): Promise<{ text(): Promise<string> } | undefined>;
      put(url: string, response: unknown): Promise<void>;
    }>;
  };
  readonly Response?: new (body: string) => unknown;
}

const host = globalThis as unknown as Host;

/** A file for each adapter. It is written under another name first, so that nobody reads half of it. */
class Folder implements TuningStore {
  constructor(
    private readonly files: Files,
    private readonly path: Paths,
    private readonly folder: string,
    private readonly pid: number,
  ) {}

  #file(adapter: string): string {
    return this.path.join(this.folder, `${adapter.toLowerCase().replace(/[^a-z0-9]+/g, '-')}.json`);
  }

  load(adapter: string): Promise<string | null> {
    return this.files.readFile(this.#file(adapter), 'utf8').catch(() => null);
  }

  async save(adapter: string, text: string): Promise<void> {
    const file = this.#file(adapter);
    await this.files.mkdir(this.folder, { recursive: true });
    await this.files.writeFile(`${file}.${this.pid}`, text);
    await this.files.rename(`${file}.${this.pid}`, file);
  }
}

/** An answer to a request that nobody makes. */
class WebCache implements TuningStore {
  constructor(private readonly cache: Awaited<ReturnType<NonNullable<Host['caches']>['open']>>) {}

  #url(adapter: string): string {
    return `https://backend-gpu.invalid/tuning/${encodeURIComponent(adapter)}`;
  }

  async load(adapter: string): Promise<string | null> {
    return (await (await this.cache.match(this.#url(adapter)))?.text()) ?? null;
  }

  save(adapter: string, text: string): Promise<void> {
    return this.cache.put(this.#url(adapter), new host.Response!(text));
  }
}

const nowhere: TuningStore = { load: async () => null, save: async () => {} };

async function folder(): Promise<TuningStore> {
  const { env, pid } = host.process!;
  // Variables, so that bundlers for browsers do not look for them.
  const [files, path, os] = ['node:fs/promises', 'node:path', 'node:os'];
  const { homedir } = (await import(/* @vite-ignore */ os!)) as typeof import('node:os');
  const paths = (await import(/* @vite-ignore */ path!)) as Paths;
  const caches = env['XDG_CACHE_HOME'] || env['LOCALAPPDATA'] || paths.join(homedir(), '.cache');
  const name = paths.join(caches, 'dl-backend-gpu');
  return new Folder((await import(/* @vite-ignore */ files!)) as Files, paths, name, pid);
}

/** The store of this runtime. */
export async function tuningStore(): Promise<TuningStore> {
  if (host.process?.versions?.node !== undefined && host.Deno === undefined) return folder();
  const cache = await host.caches?.open('@dl/backend-gpu').catch(() => null);
  return cache ? new WebCache(cache) : nowhere;
}
