/**
 * Where bytes come from: a path or file URL (Node, Deno, Bun), an http(s) URL, or memory. This file decides how a
 * source is named in errors, and unpacks gzip; what the bytes mean is for the readers.
 */
import { FormatError, ValueError } from '@dl/tensor';
import { nodeFiles } from './node-files';

/** A path, a URL (`file:`, `http:` or `https:`), or the bytes themselves. */
export type ByteSource = string | { readonly href: string } | ArrayBuffer | ArrayBufferView;

const isWeb = (address: string): boolean => /^https?:\/\//i.test(address);

const addressOf = (source: ByteSource): string | undefined =>
  typeof source === 'string' ? source : 'href' in source && typeof source.href === 'string' ? source.href : undefined;

/** What an error calls a source: its address, or `buffer of N bytes`. */
export function nameOf(source: ByteSource): string {
  return addressOf(source) ?? `buffer of ${(source as ArrayBuffer).byteLength} bytes`;
}

/**
 * The bytes of a source, as they are.
 *
 * @throws ValueError if there is no such file or it cannot be read; it names the address and the cause
 */
export async function readBytes(source: ByteSource): Promise<Uint8Array> {
  const address = addressOf(source);
  if (address === undefined) return viewOf(source as ArrayBuffer | ArrayBufferView);
  return isWeb(address) ? await fetchBytes(address) : await readFileBytes(address);
}

function viewOf(source: ArrayBuffer | ArrayBufferView): Uint8Array {
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  return new Uint8Array(source);
}

async function fetchBytes(address: string): Promise<Uint8Array> {
  const response = await fetch(address).catch((cause: unknown) => {
    throw new ValueError(`readBytes: ${address} could not be fetched: ${messageOf(cause)}`, { cause });
  });
  if (!response.ok) throw new ValueError(`readBytes: ${address} answered ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function readFileBytes(address: string): Promise<Uint8Array> {
  const { readFile } = await nodeFiles(`readBytes: ${address}`);
  try {
    return await readFile(address.startsWith('file:') ? new URL(address) : address);
  } catch (cause) {
    const why = codeOf(cause) === 'ENOENT' ? 'there is no such file' : messageOf(cause);
    throw new ValueError(`readBytes: ${address} could not be read: ${why}`, { cause });
  }
}

/** The names of the files in a folder, or undefined if there is no such folder. */
export async function listFolder(address: string): Promise<readonly string[] | undefined> {
  const { readdir } = await nodeFiles(`readBytes: ${address}`);
  try {
    return await readdir(address.startsWith('file:') ? new URL(address) : address);
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT' || codeOf(cause) === 'ENOTDIR') return undefined;
    throw new ValueError(`readBytes: the folder ${address} could not be read: ${messageOf(cause)}`, { cause });
  }
}

/** Whether the bytes begin as a gzip member does (RFC 1952, section 2.3.1). */
export const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

/**
 * Unpacks gzip with the platform's own `DecompressionStream`.
 *
 * @param name - what an error calls the bytes
 * @throws FormatError if the stream is damaged, cut short or followed by something else
 */
export async function gunzip(bytes: Uint8Array, name: string): Promise<Uint8Array> {
  const stream = new DecompressionStream('gzip');
  const writer = stream.writable.getWriter();
  // A damaged stream rejects the reading side too; the one error is reported from there.
  const written = writer
    .write(bytes as Uint8Array<ArrayBuffer>)
    .then(() => writer.close())
    .catch(() => undefined);
  const chunks: Uint8Array[] = [];
  let total = 0;
  try {
    // A reader, not `for await`: Safari's streams are no async iterables.
    const reader = stream.readable.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      chunks.push(part.value);
      total += part.value.length;
    }
  } catch (cause) {
    throw new FormatError(
      `gunzip: ${name}: the gzip stream is damaged or cut short: ` +
        `expected a whole stream, found ${bytes.length} bytes of which ${total} could be unpacked (${messageOf(cause)})`,
      { cause },
    );
  }
  await written;
  const whole = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

const codeOf = (cause: unknown): unknown => (cause as { code?: unknown } | undefined)?.code;
const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
