// Prints what the built packages weigh in a bundle, minified and gzipped: `node scripts/sizes.mjs` after a build.
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { publishedPackages, root } from './workspace.mjs';

const together = ['@dl/tensor', '@dl/autograd', '@dl/backend-cpu', '@dl/layers'];

/** Bytes of a bundle that keeps every export of these packages; what `external` matches is left out. */
async function size(names, external) {
  const packages = publishedPackages();
  const { outputFiles } = await build({
    stdin: { contents: names.map((name, i) => `export * as p${i} from '${name}';`).join('\n'), resolveDir: root },
    alias: Object.fromEntries(
      packages.filter(({ name }) => names.includes(name)).map(({ name, dir }) => [name, `${dir}/dist/index.js`]),
    ),
    external: ['node:*', ...external],
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    logLevel: 'warning',
  });
  const [{ contents }] = outputFiles;
  return { minified: contents.length, gzipped: gzipSync(contents, { level: 9 }).length };
}

const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`.padStart(10);
function print(label, { minified, gzipped }) {
  console.log(`${label.padEnd(50)}${kilobytes(minified)} minified${kilobytes(gzipped)} gzip`);
}

print(together.map((name) => name.replace('@dl/', '')).join(' + '), await size(together, []));
for (const { name } of publishedPackages()) {
  const others = publishedPackages().map((each) => each.name);
  print(
    name,
    await size(
      [name],
      others.filter((other) => other !== name),
    ),
  );
}
