// `pnpm bench [WORKLOAD…] [--threads N] [--rounds N] [--blas] [--json] [--peer NAME=COMMAND]…`: the workloads of bench/ on the built
// packages, as a user of the published ones gets them, each measurement in a fresh process, one after the other.
import { execFileSync, spawn } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ceilings, shareOf } from '../bench/ceilings.mjs';
import { median } from '../bench/timing.mjs';
import { work } from '../bench/work.mjs';
import { root, withoutSeparator } from './workspace.mjs';

const usage = `Usage: pnpm bench [WORKLOAD…] [--threads N] [--rounds N] [--blas] [--json] [--peer NAME=COMMAND]…

  --threads N           cores that the library may use; default 1
  --rounds N            processes a workload, whose median counts; default 1
  --blas                large products by OpenBLAS, which must be installed
  --json                one JSON document on the standard output, instead of a table
  --peer NAME=COMMAND   another program to run in turn, as COMMAND --threads=N WORKLOAD. It prints a line of JSON as
                        bench/ours.mjs does, with the same inputs (bench/inputs.mjs); may be given several times
  --list                the workloads`;

function refuse(message) {
  console.error(`bench: ${message}\n\n${usage}`);
  process.exit(2);
}

function parsed() {
  const options = {
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '1' },
    blas: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
    peer: { type: 'string', multiple: true, default: [] },
  };
  try {
    return parseArgs({ args: withoutSeparator(process.argv.slice(2)), options, allowPositionals: true });
  } catch (error) {
    return refuse(error.message);
  }
}

function wholeNumber(name, text, most) {
  const value = Number(text);
  if (/^[0-9]+$/.test(text) && value >= 1 && value <= most) return value;
  return refuse(`--${name} is ${JSON.stringify(text)}, but it is a whole number from 1 to ${most}.`);
}

const { values, positionals } = parsed();
if (values.help) {
  console.log(usage);
  process.exit(0);
}
const threads = wholeNumber('threads', values.threads, availableParallelism());
const rounds = wholeNumber('rounds', values.rounds, 100);
const peers = values.peer.map((text) => {
  const at = text.indexOf('=');
  if (at < 1 || at === text.length - 1) refuse(`--peer is ${JSON.stringify(text)}, but it is NAME=COMMAND.`);
  return { name: text.slice(0, at), command: `${text.slice(at + 1)} --threads=${threads}` };
});

const names = Object.keys(work);
if (values.list) {
  console.log(names.join('\n'));
  process.exit(0);
}
for (const name of positionals)
  if (!(name in work)) refuse(`there is no workload ${name}. There are ${names.join(', ')}.`);
const chosen = positionals.length > 0 ? positionals : names;

try {
  execFileSync('turbo', ['run', 'build', '--output-logs=errors-only'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  });
} catch {
  console.error('bench: the packages do not build; `pnpm build` says why.');
  process.exit(1);
}

const own = [process.execPath, join(root, 'bench', 'ours.mjs')].map((path) => JSON.stringify(path)).join(' ');
const programs = [{ name: 'ours', command: `${own} --threads=${threads}${values.blas ? ' --blas' : ''}` }, ...peers];

/** What one program says of one workload, in a fresh process. */
function measured({ name, command }, workload) {
  return new Promise((resolve) => {
    const child = spawn(`${command} ${workload}`, { shell: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    child.stdout.on('data', (data) => (out += data));
    child.stderr.on('data', (data) => (err += data));
    child.on('close', (code) => {
      const line = out.split('\n').findLast((each) => each.startsWith('{'));
      const why = `exit ${code}: ${err.trim().split('\n').at(-1)}`;
      resolve({ ...(line ? JSON.parse(line) : { workload, finding: why }), program: name });
    });
  });
}

/** The run with the median time of several. */
function medianOf(runs) {
  const failed = runs.find((run) => run.finding);
  if (failed) return failed;
  const times = runs.map((run) => run.ms_per_iter);
  const { ms_per_iter, ...rest } = runs.find((run) => run.ms_per_iter === median(times));
  return { ...rest, ms_per_iter, all_ms: times };
}

const agrees = (a, b) =>
  a === undefined ||
  b === undefined ||
  a.every((v, i) => Math.abs(v - b[i]) <= 2e-3 * Math.max(Math.abs(v), Math.abs(b[i]), 1e-3));

const table = [
  ['workload', 18, ({ workload }) => workload],
  ['program', 10, ({ program }) => program],
  ['ms', 10, ({ ms_per_iter }) => Number(ms_per_iter.toPrecision(4)).toString()],
  ['rate', 14, rateOf],
  ['of ceiling', 10, (r) => (r.share === null ? '' : `${Math.round(r.share * 100)}%`)],
  ['ours ÷', 8, ({ ratio }) => (ratio === undefined ? '' : ratio.toFixed(2))],
  ['', 0, notesOf],
];

function rateOf({ gflops, gb_per_s, ns_per_element, us_per_op }) {
  if (gflops) return `${gflops.toFixed(1)} GFLOPS`;
  if (gb_per_s) return `${gb_per_s.toFixed(1)} GB/s`;
  if (ns_per_element) return `${ns_per_element.toFixed(2)} ns/elem.`;
  return us_per_op ? `${us_per_op.toFixed(2)} µs/op` : '';
}

function notesOf({ first_call_ms, first_step_ms, warm_ms, peak_mb, rss_50, rss_end, differs, trained }) {
  const first = first_call_ms ?? first_step_ms;
  return [
    first && `first ${first.toFixed(0)} ms`,
    warm_ms && `then ${warm_ms.toFixed(0)} ms`,
    peak_mb && `resident ${rss_50} MB after 50 steps, ${rss_end} MB at the end, peak ${peak_mb} MB`,
    trained === false && 'THE LOSS DID NOT FALL',
    differs && 'THE RESULT DIFFERS',
  ]
    .filter(Boolean)
    .join('; ');
}

const results = [];
const row = (cells) =>
  cells.map((cell, i) => (i < 2 ? cell.padEnd(table[i][1]) : cell.padStart(table[i][1]))).join('  ');

function show(result) {
  if (values.json) return;
  const { workload, program, finding } = result;
  if (finding) console.log(`${row([workload, program])}  failed: ${finding}`);
  else console.log(row(table.map(([, , of]) => of(result))).trimEnd());
}

/** A line that the next one takes the place of, where people look on. */
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${text}`);
}

const versions = { node: process.versions.node, v8: process.versions.v8, processor: cpus()[0]?.model ?? 'unknown' };
const began = performance.now();
for (const [at, workload] of chosen.entries()) {
  const runs = programs.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, program] of programs.entries()) {
      const seconds = Math.round((performance.now() - began) / 1000);
      progress(
        `${at + 1} of ${chosen.length}: ${workload}, ${program.name}, round ${round + 1} of ${rounds} (${seconds} s)`,
      );
      runs[i].push(await measured(program, workload));
    }
  }
  progress('');
  if (results.length === 0 && !values.json) {
    const backend = runs[0][0].backend ?? 'no backend';
    console.log(`node ${versions.node}, V8 ${versions.v8}; ${versions.processor}; ${backend}; threads: ${threads}`);
    console.log(row(table.map(([title]) => title)).trimEnd());
  }
  const [ours, ...others] = runs.map(medianOf);
  for (const result of [ours, ...others]) {
    const compared = result !== ours && !result.finding && !ours.finding;
    const own = { ...result, share: result.finding ? null : shareOf(result, threads) };
    if (compared)
      Object.assign(own, { ratio: ours.ms_per_iter / result.ms_per_iter, differs: !agrees(ours.check, result.check) });
    results.push(own);
    show(own);
  }
}
if (values.json)
  console.log(
    JSON.stringify({ date: new Date().toISOString(), versions, threads, rounds, ceilings, results }, null, 1),
  );
process.exitCode = results.some((r) => r.program === 'ours' && r.finding) ? 1 : 0;
