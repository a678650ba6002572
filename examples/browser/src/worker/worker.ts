/** The worker: hands the page's messages to the session, and what goes wrong to the page. */
import type { FromWorker, ToWorker } from '../messages';
import { Session } from './session';

interface Scope {
  postMessage(message: FromWorker, transfer: readonly Transferable[]): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  onunhandledrejection: ((event: PromiseRejectionEvent) => void) | null;
}
const scope = globalThis as unknown as Scope;

const post = (message: FromWorker, transfer: readonly Transferable[] = []): void =>
  scope.postMessage(message, transfer);
const fail = (error: unknown): void =>
  post({ type: 'failed', text: error instanceof Error ? error.message : String(error) });

const session = new Session(post);

function handle(message: ToWorker): void | Promise<void> {
  switch (message.type) {
    case 'train':
      return session.train(message);
    case 'look':
      return session.look(message.pixels);
    default:
      return session[message.type]();
  }
}

const started = session.start().catch(fail);
scope.onunhandledrejection = ({ reason }) => fail(reason);
scope.onmessage = ({ data }) => void started.then(() => handle(data)).catch(fail);
