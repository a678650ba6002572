// Reads the loops of a WebAssembly module: how many instructions each runs in a round, and what they are. What an inner
// loop runs is what a workload takes, and does not depend on who else uses the machine.

/** Bytes of the immediates that follow an opcode, as readers; see WebAssembly 3.0, section 5.4. */
class Reader {
  at = 0;

  constructor(bytes) {
    this.bytes = bytes;
  }

  byte() {
    return this.bytes[this.at++];
  }

  /** LEB128, of which only the length matters where it is signed. */
  number() {
    let [value, shift, byte] = [0, 0, 0];
    do {
      byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      shift += 7;
    } while (byte & 0x80);
    return value;
  }

  skip(count) {
    this.at += count;
  }

  /** Alignment and offset of an access. */
  place() {
    this.number();
    this.number();
  }
}

const isMemory = (code) => code >= 0x28 && code <= 0x3e;

/** Skips what follows an opcode without a prefix. */
function skipPlain(reader, code) {
  if (code === 0x02 || code === 0x03 || code === 0x04) reader.number();
  else if (code === 0x0c || code === 0x0d || code === 0x10) reader.number();
  else if (code === 0x0e) for (let rest = reader.number() + 1; rest > 0; rest--) reader.number();
  else if (code === 0x11) reader.place();
  else if (code === 0x1c) for (let rest = reader.number(); rest > 0; rest--) reader.byte();
  else if (code >= 0x20 && code <= 0x24) reader.number();
  else if (isMemory(code)) reader.place();
  else if (code === 0x3f || code === 0x40) reader.byte();
  else if (code === 0x41 || code === 0x42) reader.number();
  else if (code === 0x43) reader.skip(4);
  else if (code === 0x44) reader.skip(8);
}

/** Skips what follows a vector opcode; answers what kind it is. */
function vectorKind(reader) {
  const code = reader.number();
  if (code <= 11 || code === 92 || code === 93) {
    reader.place();
    return code === 11 ? 'store' : 'load';
  }
  if (code >= 84 && code <= 91) {
    reader.place();
    reader.byte();
    return code >= 88 ? 'store' : 'load';
  }
  if (code === 12 || code === 13) reader.skip(16);
  else if (code >= 21 && code <= 34) reader.byte();
  return 'vector';
}

/** Skips one instruction after its opcode; answers its kind. */
function kindOf(reader, code) {
  if (code === 0xfd) return vectorKind(reader);
  if (code === 0xfc) {
    const sub = reader.number();
    if (sub >= 8) for (let rest = sub === 11 || sub === 9 ? 1 : 2; rest > 0; rest--) reader.number();
    return 'other';
  }
  if (code === 0xfe) {
    if (reader.number() === 3) reader.byte();
    else reader.place();
    return 'other';
  }
  skipPlain(reader, code);
  return code >= 0x20 && code <= 0x24 ? 'local' : 'other';
}

/** The innermost loops of one function: instructions of a round by kind. */
function loopsOf(reader, end) {
  const found = [];
  const open = [];
  while (reader.at < end) {
    const code = reader.byte();
    const kind = kindOf(reader, code);
    const loop = open.findLast((each) => each !== null);
    if (loop) loop[kind]++;
    if (code === 0x03) {
      for (const outer of open) if (outer) outer.innermost = false;
      open.push({ vector: 0, load: 0, store: 0, local: 0, other: 0, innermost: true });
    } else if (code === 0x02 || code === 0x04) open.push(null);
    else if (code === 0x0b) {
      const closed = open.pop();
      if (closed?.innermost) found.push(closed);
    }
  }
  return found.map(({ innermost: _, ...loop }) => loop);
}

/**
 * The innermost loops of a module's functions.
 *
 * @param bytes - of the whole module
 * @returns for each, the instructions of a round: `vector` arithmetic, vector `load` and `store`, `local` moves, `other`
 */
export function innermostLoops(bytes) {
  const reader = new Reader(bytes);
  reader.skip(8);
  while (reader.at < bytes.length) {
    const [section, size] = [reader.byte(), reader.number()];
    if (section !== 10) {
      reader.skip(size);
      continue;
    }
    return Array.from({ length: reader.number() }).flatMap(() => {
      const length = reader.number();
      const end = reader.at + length;
      for (let groups = reader.number(); groups > 0; groups--) {
        reader.number();
        reader.byte();
      }
      return loopsOf(reader, end);
    });
  }
  return [];
}
