/** The public API, package by package: every method of `Tensor`, function and class, and the test files that use it. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as attention from '../../packages/attention/src/index';
import * as audio from '../../packages/audio/src/index';
import * as autograd from '../../packages/autograd/src/index';
import * as layers from '../../packages/layers/src/index';
import * as optim from '../../packages/optim/src/index';
import * as rnn from '../../packages/rnn/src/index';
import * as creation from '../../packages/tensor/src/creation';
import * as functions from '../../packages/tensor/src/functions';
import {
  compile,
  concat,
  profile,
  setMemoryPlan,
  setSeed,
  stack,
  Tensor,
  Variable,
} from '../../packages/tensor/src/index';
import * as vision from '../../packages/vision/src/index';
import { type Cell, code, plural, table } from './table';
import { vectorNames } from './vectors';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { fromHost: _, ...created } = creation;

/** What a user calls; the rest of the index is for backends and packages above. */
const tensor = { ...created, ...functions, compile, concat, profile, setMemoryPlan, setSeed, stack, Variable };

const packages = { tensor, autograd, layers, optim, rnn, attention, vision, audio } as const;

interface Source {
  readonly file: string;
  readonly text: string;
}

const isTest = /\.test\.ts$|golden-ops\.ts$|-rows\.ts$|rule-cases\.ts$|\/golden\/ops\/[^/]*\.ts$/;

/** Test files that are in the repository, and the tables and rows that tests run. */
function testSources(): Source[] {
  const files = execFileSync('git', ['ls-files', 'packages'], { cwd: root, encoding: 'utf8' }).split('\n');
  return files
    .filter((file) => isTest.test(file))
    .map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }));
}

type Kind = 'method' | 'function' | 'class';

const pattern: Readonly<Record<Kind, (name: string) => RegExp>> = {
  method: (name) => new RegExp(`(?<!Math|String|Array|Object)\\.${name}\\(`),
  function: (name) => new RegExp(`(?<![.\\w])(?:nn\\.)?${name}\\b(?!:)`),
  class: (name) => new RegExp(`(?<!\\w)${name}\\b(?!:)`),
};

/** The files that use a name, those of its own package first; by name, so that the page changes seldom. */
function usedIn(sources: readonly Source[], own: string, kind: Kind, name: string): string[] {
  const uses = sources.flatMap(({ file, text }) => {
    return pattern[kind](name).test(text) ? [{ file, own: file.startsWith(`packages/${own}/`) }] : [];
  });
  uses.sort((a, b) => Number(b.own) - Number(a.own) || (a.file < b.file ? -1 : 1));
  return uses.map(({ file }) => file.replace('packages/', ''));
}

/** Not for users. */
const hidden = new Set(['constructor', 'mulFloat']);

const isClass = (value: unknown): boolean => /^class\b/.test(Function.prototype.toString.call(value));

function membersOf(name: string, module: Readonly<Record<string, unknown>>): { name: string; kind: Kind }[] {
  const methods =
    name === 'tensor'
      ? Object.entries(Object.getOwnPropertyDescriptors(Tensor.prototype))
          .filter(([key, { value }]) => !hidden.has(key) && typeof value === 'function')
          .map(([key]) => ({ name: key, kind: 'method' as const }))
      : [];
  const exported = Object.entries(module)
    .filter(([, value]) => typeof value === 'function')
    .map(([key, value]) => ({ name: key, kind: isClass(value) ? ('class' as const) : ('function' as const) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return [...methods, ...exported];
}

/** A table for each package. */
export function exportTables(): string {
  const sources = testSources();
  const vectors = vectorNames();
  return Object.entries(packages)
    .map(([name, module]) => {
      const rows = membersOf(name, module).map((member): Cell[] => {
        const files = usedIn(sources, name, member.kind, member.name);
        const count = vectors.get(member.name);
        return [
          code(member.kind === 'method' ? `x.${member.name}` : member.name),
          member.kind,
          count === undefined ? '' : plural(count, 'case'),
          files.length > 0 ? files.slice(0, 2).map(code).join(', ') : { why: 'no test names it' },
        ];
      });
      return `### @dl/${name}\n\n${table(['name', 'kind', 'vectors of that name', 'tests in packages/'], rows)}`;
    })
    .join('\n\n');
}
