/**
 * The bytes of a checkpoint. They are a safetensors file, which PyTorch and others read: 8 bytes with the length of a
 * JSON header, the header, and the tensors' data. What is not a tensor is JSON in the header's metadata, with a
 * version and a checksum over header and data, so that a file that was cut or changed is noticed.
 */
import {
  byteWidth,
  type DType,
  FormatError,
  hostArray,
  sizeOf,
  Tensor,
  type TypedArray,
  tensor,
  ValueError,
} from '@dl/tensor';
import type { State } from '../stateful';
import { crc32 } from './crc32';

const FORMAT = 'dl-checkpoint';
const VERSION = '1';

/** The header begins with the checksum, which is computed with zeros in its place. */
const OPENING = '{"__metadata__":{"crc32":"';
const ZEROS = '00000000';

const names: Readonly<Record<DType, string>> = {
  f32: 'F32',
  f64: 'F64',
  f16: 'F16',
  i32: 'I32',
  u32: 'U32',
  u8: 'U8',
  bool: 'BOOL',
};
const dtypes = new Map(Object.entries(names).map(([dtype, name]) => [name, dtype as DType]));

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** Marks in the JSON what JSON has no word for. */
const TENSOR = '$tensor';
const NUMBER = '$number';

/** JSON of a state, and its tensors under the paths where they were. */
function strip(state: unknown, path: string, tensors: Map<string, Tensor>): unknown {
  if (state instanceof Tensor) {
    tensors.set(path, state);
    return { [TENSOR]: path };
  }
  if (typeof state === 'number')
    return Number.isFinite(state) && !Object.is(state, -0)
      ? state
      : { [NUMBER]: Object.is(state, -0) ? '-0' : String(state) };
  if (state === null || state === undefined || typeof state === 'string' || typeof state === 'boolean') return state;
  if (Array.isArray(state)) return state.map((part, i) => strip(part, `${path}.${i}`, tensors) ?? null);
  if (typeof state !== 'object' || !isPlain(state)) {
    throw new ValueError(
      `checkpoint: ${path} is ${typeof state === 'object' ? state.constructor.name : `a ${typeof state}`}. A state is plain data and tensors.`,
    );
  }
  const join = (key: string): string => (path === '' ? key : `${path}.${key}`);
  return Object.fromEntries(Object.entries(state).map(([key, part]) => [key, strip(part, join(key), tensors)]));
}

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

function restore(json: unknown, tensors: ReadonlyMap<string, Tensor>): State {
  if (Array.isArray(json)) return json.map((part) => restore(part, tensors));
  if (json === null || typeof json !== 'object') return json as State;
  const entries = Object.entries(json);
  const [key, value] = entries.length === 1 ? entries[0]! : [null, null];
  if (key === TENSOR) return tensors.get(String(value))!;
  if (key === NUMBER) return Number(value);
  return Object.fromEntries(entries.map(([name, part]) => [name, restore(part, tensors)]));
}

/**
 * A state as the bytes of a file. Its tensors are read.
 *
 * @param state - plain data and tensors
 * @throws ValueError for anything else in it
 */
export async function encodeCheckpoint(state: unknown): Promise<Uint8Array> {
  const tensors = new Map<string, Tensor>();
  const json = JSON.stringify(strip(state, '', tensors)) ?? 'null';
  const arrays = await Promise.all([...tensors.values()].map((t) => t.data()));
  const entries: Record<string, Entry> = {};
  let end = 0;
  for (const [i, [path, { dtype, shape }]] of [...tensors].entries()) {
    const start = end;
    end += arrays[i]!.byteLength;
    entries[path] = { dtype: names[dtype], shape, data_offsets: [start, end] };
  }
  const metadata = JSON.stringify({ crc32: ZEROS, format: FORMAT, version: VERSION, state: json });
  const rest = Object.keys(entries).length > 0 ? `,${JSON.stringify(entries).slice(1)}` : '}';
  return assemble(`{"__metadata__":${metadata}${rest}`, arrays, end);
}

function assemble(header: string, arrays: readonly TypedArray[], dataLength: number): Uint8Array {
  const text = new TextEncoder().encode(header);
  const headerLength = Math.ceil(text.length / 8) * 8;
  const file = new Uint8Array(8 + headerLength + dataLength).fill(0x20, 8, 8 + headerLength);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerLength), true);
  file.set(text, 8);
  let at = 8 + headerLength;
  for (const array of arrays) {
    file.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
    at += array.byteLength;
  }
  const sum = crc32(file).toString(16).padStart(8, '0');
  file.set(new TextEncoder().encode(sum), 8 + OPENING.length);
  return file;
}

/**
 * The state that {@link encodeCheckpoint} was given.
 *
 * @param name - of the file, for messages
 * @throws FormatError if the bytes are cut, changed, or no checkpoint
 */
export function decodeCheckpoint(file: Uint8Array, name = 'checkpoint'): State {
  // A plain view: slices of a Node Buffer would share its memory.
  const bytes = new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
  const { header, data } = sections(bytes, name);
  const { __metadata__: metadata, ...entries } = header as { __metadata__: Record<string, string> } & Record<
    string,
    Entry
  >;
  const tensors = new Map<string, Tensor>();
  for (const [path, entry] of Object.entries(entries as Record<string, Entry>))
    tensors.set(path, readTensor(path, entry, data, name));
  return restore(JSON.parse(metadata['state']!), tensors);
}

const wrong = (name: string, what: string): FormatError =>
  new FormatError(`${name}: ${what} Use an earlier checkpoint.`);

/** The parsed header and the data, after all checks. */
function sections(file: Uint8Array, name: string): { header: Record<string, unknown>; data: Uint8Array } {
  if (file.length < 16)
    throw wrong(name, `a checkpoint has at least 16 bytes, but the file has ${file.length}; it was cut short.`);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const headerLength = Number(view.getBigUint64(0, true));
  const opening = new TextDecoder().decode(file.subarray(8, 8 + OPENING.length));
  if (opening !== OPENING)
    throw wrong(
      name,
      `the file is no checkpoint of @dl: it begins with '${printable(opening)}', not with '${OPENING}'.`,
    );
  if (8 + headerLength > file.length) {
    throw wrong(
      name,
      `the header says that it has ${headerLength} bytes, but the file has ${file.length}; it was cut short.`,
    );
  }
  checkSum(file, name);
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + headerLength))) as Record<string, unknown>;
  const { format, version } = header['__metadata__'] as Record<string, string>;
  if (format !== FORMAT || version !== VERSION)
    throw wrong(name, `the file has the format ${format} of version ${version}, but version ${VERSION} is read here.`);
  return { header, data: file.subarray(8 + headerLength) };
}

const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, '·').slice(0, 16);

function checkSum(file: Uint8Array, name: string): void {
  const at = 8 + OPENING.length;
  const found = new TextDecoder().decode(file.subarray(at, at + ZEROS.length));
  const zeros = new TextEncoder().encode(ZEROS);
  const computed = crc32(file.subarray(at + ZEROS.length), crc32(zeros, crc32(file.subarray(0, at))));
  const expected = computed.toString(16).padStart(8, '0');
  if (found !== expected) {
    throw wrong(
      name,
      `the checksum is ${expected}, but the file says ${printable(found)}; it was cut short or changed.`,
    );
  }
}

function readTensor(
  path: string,
  { dtype: dtypeName, shape, data_offsets }: Entry,
  data: Uint8Array,
  name: string,
): Tensor {
  const dtype = dtypes.get(dtypeName);
  const [start, end] = data_offsets;
  if (dtype === undefined || end > data.length || end - start !== sizeOf(shape) * byteWidth(dtype)) {
    throw wrong(
      name,
      `${path} is ${dtypeName} [${shape.join(', ')}] in bytes ${start} to ${end}, which does not fit ${data.length} bytes of data.`,
    );
  }
  const bytes = data.slice(start, end);
  return tensor(hostArray(dtype, bytes.buffer, 0, sizeOf(shape)), shape, { dtype });
}
