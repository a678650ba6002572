/*
 * Builds WebAssembly modules: types, imports, functions and exports, laid out in the order of the binary format.
 *
 * A module of ours has at most one memory and one table, which it imports, no globals and no data: kernels work on the
 * backend's memory, and constants are written there from outside (constants.ts). Function bodies are written by
 * function-builder.ts; which instructions the engine takes is features.ts.
 */

import { ByteWriter } from './bytes';
import { FunctionBuilder, VALUE_TYPE_BYTE, type ValueType } from './function-builder';

export type {
  I32Operand,
  Label,
  LaneOp,
  Local,
  LoopRange,
  MemoryLaneOp,
  MemoryOp,
  PlainOp,
  ValueType,
} from './function-builder';
export { FunctionBuilder } from './function-builder';

/** Parameters and results of a function. */
export interface Signature {
  readonly params?: readonly ValueType[];
  readonly results?: readonly ValueType[];
}

/** A function to define. */
export interface FunctionSpec extends Signature {
  /** Exported under this name where present. */
  readonly export?: string;
}

/** The memory to import. A shared one must state its maximum, and the importing module must agree with it. */
export interface MemorySpec {
  readonly module?: string;
  readonly name?: string;
  /** In pages of 64 KiB. */
  readonly minPages: number;
  readonly maxPages?: number;
  readonly shared?: boolean;
}

const SECTION = { type: 1, import: 2, function: 3, export: 7, code: 10 } as const;
const KIND = { function: 0, table: 1, memory: 2 } as const;

/** Collects a module and encodes it. */
export class ModuleBuilder {
  readonly #types = new ByteWriter(256);
  readonly #typeIndices = new Map<string, number>();
  readonly #imports = new ByteWriter(128);
  readonly #exports = new ByteWriter(256);
  readonly #bodies: ByteWriter[] = [];
  readonly #functionTypes: number[] = [];
  #importCount = 0;
  #importedFunctions = 0;
  #exportCount = 0;
  #hasMemory = false;

  /** Imports the module's memory, as `env.memory` where not named otherwise. */
  importMemory(spec: MemorySpec): this {
    if (this.#hasMemory) throw new Error('the module has a memory already');
    const { module = 'env', name = 'memory', minPages, maxPages, shared = false } = spec;
    if (shared && maxPages === undefined) throw new Error('a shared memory needs maxPages');
    this.#imports.name(module);
    this.#imports.name(name);
    this.#imports.u8(KIND.memory);
    this.#imports.u8((maxPages === undefined ? 0 : 1) | (shared ? 2 : 0));
    this.#imports.u32(minPages);
    if (maxPages !== undefined) this.#imports.u32(maxPages);
    this.#importCount++;
    this.#hasMemory = true;
    return this;
  }

  /** Imports a table of functions, which `callIndirect` calls from. */
  importTable(module: string, name: string, minSize: number): this {
    this.#imports.name(module);
    this.#imports.name(name);
    this.#imports.u8(KIND.table);
    this.#imports.u8(0x70); // funcref
    this.#imports.u8(0);
    this.#imports.u32(minSize);
    this.#importCount++;
    return this;
  }

  /** The index of a signature, for `callIndirect`. */
  type(signature: Signature): number {
    return this.#typeIndex(signature);
  }

  /**
   * Imports a function and returns its index.
   *
   * @throws Error after the first definition, because imports come first in the numbering
   */
  importFunction(module: string, name: string, signature: Signature): number {
    if (this.#bodies.length > 0) throw new Error('import functions before the first one is defined');
    this.#imports.name(module);
    this.#imports.name(name);
    this.#imports.u8(KIND.function);
    this.#imports.u32(this.#typeIndex(signature));
    this.#importCount++;
    return this.#importedFunctions++;
  }

  /**
   * Defines a function and returns its index. The index is taken before `body` runs, so a body may define other
   * functions and call them.
   */
  function(spec: FunctionSpec, body: (f: FunctionBuilder, index: number) => void): number {
    const position = this.#bodies.length;
    const index = this.#importedFunctions + position;
    const encoded = new ByteWriter(64);
    this.#bodies.push(encoded);
    this.#functionTypes.push(this.#typeIndex(spec));
    if (spec.export !== undefined) this.exportFunction(spec.export, index);

    const code = codeWriters.pop() ?? new ByteWriter(16384);
    const f = new FunctionBuilder(spec.params ?? [], code);
    body(f, index);
    f.finish(encoded);
    code.clear();
    codeWriters.push(code);
    return index;
  }

  /** Exports a function by its index. */
  exportFunction(name: string, index: number): this {
    this.#exports.name(name);
    this.#exports.u8(KIND.function);
    this.#exports.u32(index);
    this.#exportCount++;
    return this;
  }

  /** Encodes the module. */
  bytes(): Uint8Array<ArrayBuffer> {
    const codeLength = this.#bodies.reduce((sum, body) => sum + body.length, 0);
    const out = new ByteWriter(512 + this.#imports.length + this.#exports.length + codeLength);
    out.bytes([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    section(out, SECTION.type, this.#typeIndices.size, [this.#types]);
    section(out, SECTION.import, this.#importCount, [this.#imports]);
    const functions = new ByteWriter(this.#functionTypes.length * 2 + 1);
    for (const type of this.#functionTypes) functions.u32(type);
    section(out, SECTION.function, this.#functionTypes.length, [functions]);
    section(out, SECTION.export, this.#exportCount, [this.#exports]);
    section(out, SECTION.code, this.#bodies.length, this.#bodies);
    return out.view();
  }

  #typeIndex({ params = [], results = [] }: Signature): number {
    const key = `${params.join(',')}:${results.join(',')}`;
    const known = this.#typeIndices.get(key);
    if (known !== undefined) return known;
    const index = this.#typeIndices.size;
    this.#typeIndices.set(key, index);
    this.#types.u8(0x60);
    for (const types of [params, results]) {
      this.#types.u32(types.length);
      for (const type of types) this.#types.u8(VALUE_TYPE_BYTE[type]);
    }
    return index;
  }
}

/** Code buffers of finished functions, kept because a fresh large one costs more than the code in it. */
const codeWriters: ByteWriter[] = [];

function section(out: ByteWriter, id: number, count: number, parts: readonly ByteWriter[]): void {
  if (count === 0) return;
  const head = new ByteWriter(5);
  head.u32(count);
  out.u8(id);
  out.u32(parts.reduce((sum, part) => sum + part.length, head.length));
  out.bytes(head.view());
  for (const part of parts) out.bytes(part.view());
}
