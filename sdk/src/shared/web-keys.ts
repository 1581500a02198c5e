// P-256 keys of WebCrypto: they are objects, not bytes. A database can hold them, and no script can read their private half.

import { derOf } from './keys.js';

/** One key, and a text beside it. */
export interface Entry {
  name: string;
  pair?: CryptoKeyPair;
  text?: string;
}

/** Where keys are kept. */
export interface Shelf {
  get(name: string): Promise<Entry | undefined>;
  put(entry: Entry): Promise<void>;
  /** Puts it there if nothing has its name, in one step; answers what has it now. */
  keep(entry: Entry): Promise<Entry>;
  delete(name: string): Promise<void>;
}

/** A key whose private half cannot be exported. */
export const makePair = (): Promise<CryptoKeyPair> => crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);

/** The SubjectPublicKeyInfo, 91 bytes. */
export const spkiOfPair = async ({ publicKey }: CryptoKeyPair): Promise<Uint8Array> => new Uint8Array(await crypto.subtle.exportKey('spki', publicKey));

/** ECDSA over SHA-256 of the bytes, in ASN.1 DER. */
export const signWith = async ({ privateKey }: CryptoKeyPair, bytes: Uint8Array): Promise<Uint8Array> =>
  derOf(new Uint8Array(await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, privateKey, bytes as Uint8Array<ArrayBuffer>)));

/** IndexedDB. */
export function databaseShelf(database: string): Shelf {
  const open = () =>
    new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(database, 1);
      request.onupgradeneeded = () => request.result.createObjectStore('keys', { keyPath: 'name' });
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const within = async <T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> => {
    const connection = await open();
    try {
      return await new Promise<T>((resolve, reject) => {
        const transaction = connection.transaction('keys', mode);
        const request = work(transaction.objectStore('keys'));
        transaction.oncomplete = () => resolve(request.result);
        transaction.onerror = transaction.onabort = () => reject(transaction.error);
      });
    } finally {
      connection.close();
    }
  };
  const find = (store: IDBObjectStore, name: string) => store.get(name) as IDBRequest<Entry | undefined>;
  return {
    get: (name) => within('readonly', (store) => find(store, name)),
    put: async (entry) => void (await within('readwrite', (store) => store.put(entry))),
    async keep(entry) {
      const found = await within('readwrite', (store) => {
        const request = find(store, entry.name);
        request.onsuccess = () => void (request.result ?? store.put(entry));
        return request;
      });
      return found ?? entry;
    },
    delete: (name) => within('readwrite', (store) => store.delete(name)),
  };
}

/** What ends with the process. */
export function memoryShelf(): Shelf {
  const entries = new Map<string, Entry>();
  return {
    get: async (name) => entries.get(name),
    put: async (entry) => void entries.set(entry.name, entry),
    keep: async (entry) => entries.get(entry.name) ?? (entries.set(entry.name, entry), entry),
    delete: async (name) => void entries.delete(name),
  };
}
