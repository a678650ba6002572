/** `pnpm example browser`: serves the page, with the headers that give it threads, and says where. */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createServer } from 'vite';

const usage = `Serves the page that trains LeNet-5.

pnpm example browser -- [options]

  --port N          (default 5173; the next one that is free)
  --host            reachable from other machines; only localhost and HTTPS pages have threads and WebGPU
  --not-isolated    without the headers COOP and COEP: one thread
  --help
`;

const options = {
  port: { type: 'string', default: '5173' },
  host: { type: 'boolean', default: false },
  'not-isolated': { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options });
  if (values.help) {
    console.log(usage);
    return;
  }
  const root = fileURLToPath(new URL('..', import.meta.url));
  const server = await createServer({
    root,
    mode: values['not-isolated'] ? 'not-isolated' : 'development',
    server: { port: Number(values.port), host: values.host },
  });
  await server.listen();
  server.printUrls();
}

run(process.argv.slice(2)).catch((error: Error) => {
  console.error(`browser: ${error.message} Try --help.`);
  process.exitCode = 2;
});
