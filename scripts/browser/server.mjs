// A plain static server of the repository, as any host of files is: no bundler, nothing rewritten.
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { root } from '../workspace.mjs';

const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.wasm': 'application/wasm',
};

/** What makes a page cross-origin isolated, so that it has shared memory and hence threads. */
const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/**
 * Serves the repository, and above it the given pages.
 *
 * @param pages - path → text, such as `{ '/': html }`
 * @returns `{ url, close }`
 */
export async function serve({ pages = {}, isolated = false }) {
  const headers = { 'Cache-Control': 'no-store', ...(isolated ? isolation : {}) };
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
    const type = types[extname(path)] ?? types['.html'];
    if (pages[path] !== undefined) {
      response.writeHead(200, { ...headers, 'Content-Type': type }).end(pages[path]);
      return;
    }
    const file = join(root, normalize(path));
    if (!statSync(file, { throwIfNoEntry: false })?.isFile()) {
      response.writeHead(404, headers).end();
      return;
    }
    response.writeHead(200, { ...headers, 'Content-Type': type });
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(resolve);
    });
  return { url: `http://localhost:${server.address().port}`, close };
}
