/** One value in the browser's IndexedDB. */

const store = 'lenet';
const key = 'session';

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

async function inStore<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const opening = indexedDB.open('@dl/example-browser', 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(store);
  const database = await settled(opening);
  try {
    return await settled(act(database.transaction(store, mode).objectStore(store)));
  } finally {
    database.close();
  }
}

export const remember = (bytes: Uint8Array): Promise<unknown> => inStore('readwrite', (s) => s.put(bytes, key));
export const recall = (): Promise<Uint8Array | undefined> => inStore('readonly', (s) => s.get(key));
export const forget = (): Promise<unknown> => inStore('readwrite', (s) => s.delete(key));
