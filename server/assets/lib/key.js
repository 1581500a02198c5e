// The phone's key: P-256, made by WebCrypto so that no script can read its private half, kept in IndexedDB.

import { bytesOf, derFromRaw, toBase64, toBase64Url } from './bytes.js';

const DATABASE = 'stepup';
const STORE = 'credentials';

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: 'id' });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function within(mode, work) {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

/** Makes a key pair whose private half cannot be exported. */
export const generate = () => crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);

/** The public key as the wire wants it: standard base64 of the SubjectPublicKeyInfo DER, 91 bytes. */
export const publicKey = async (pair) => toBase64(new Uint8Array(await crypto.subtle.exportKey('spki', pair.publicKey)));

/** Signs a text; the answer is standard base64 of the ASN.1 DER signature, as the mobile platforms make it. */
export async function sign(pair, text) {
  const raw = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, pair.privateKey, bytesOf(text));
  return toBase64(derFromRaw(new Uint8Array(raw)));
}

/** SHA-256 as unpadded base64url. */
export const digest = async (bytes) => toBase64Url(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));

/** All credentials of this phone, the one that was used last first: `{ id, tenant, issuer, user, name, pair, publicKey, since, used? }`. */
export async function credentials() {
  const used = (credential) => credential.used ?? credential.since;
  const all = await within('readonly', (store) => store.getAll());
  return all.sort((a, b) => used(b).localeCompare(used(a)));
}

/** Keeps a credential. */
export const keep = (credential) => within('readwrite', (store) => store.put(credential));

/** Forgets a credential; its key is gone with it. */
export const forget = (id) => within('readwrite', (store) => store.delete(id));
