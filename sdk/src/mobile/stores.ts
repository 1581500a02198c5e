// Where a phone's key lives. One interface; WebCrypto and React Native behind it.

import { fromBase64, toBase64 } from '../shared/bytes.js';
import { checkDer, spkiOf } from '../shared/keys.js';
import { databaseShelf, makePair, memoryShelf, signWith, spkiOfPair, type Shelf } from '../shared/web-keys.js';

/** Keeps one P-256 key per name, and a text beside it. The private half never comes out. */
export interface KeyStore {
  /**
   * Makes a key; one that had this name is gone. Answers the SubjectPublicKeyInfo, 91 bytes. An Android Keystore that can describe
   * its keys is given the challenge (`setAttestationChallenge`); there is none in version 1.
   */
  create(name: string, attestationChallenge?: Uint8Array): Promise<Uint8Array>;
  /** ECDSA over SHA-256 of the bytes, in ASN.1 DER. May ask the person for a finger or a face. */
  sign(name: string, bytes: Uint8Array): Promise<Uint8Array>;
  /** What the phone's maker says of the key; `hash` is what an app vouches for. Nothing where nothing is said. */
  attest?(name: string, hash: Uint8Array): Promise<Attestation | undefined>;
  /** The text written under this name. */
  read(name: string): Promise<string | undefined>;
  write(name: string, text: string): Promise<void>;
  /** Forgets key and text. */
  remove(name: string): Promise<void>;
  /** Bytes of a cryptographic generator. */
  random(length: number): Promise<Uint8Array>;
}

/** What the phone's maker says. All texts are standard base64, but for the token of Play Integrity, which is sent as it is. */
export type Attestation =
  | { provider: 'ANDROID_KEY'; /** `KeyStore.getCertificateChain`, the key's own first. */ chain: string[] }
  | { provider: 'APP_ATTEST'; /** Of `attestKey`, with the hash as `clientDataHash`. */ token: string; keyId?: string }
  | { provider: 'PLAY_INTEGRITY'; /** With the hash in base64url, unpadded, as nonce or `requestHash`. */ token: string };

class WebCryptoKeyStore implements KeyStore {
  constructor(private readonly shelf: Shelf) {}

  async create(name: string): Promise<Uint8Array> {
    const pair = await makePair();
    await this.shelf.put({ name, pair });
    return spkiOfPair(pair);
  }

  async sign(name: string, bytes: Uint8Array): Promise<Uint8Array> {
    const pair = (await this.shelf.get(name))?.pair;
    if (!pair) throw new Error(`there is no key named \`${name}\``);
    return signWith(pair, bytes);
  }

  async read(name: string): Promise<string | undefined> {
    return (await this.shelf.get(name))?.text;
  }

  async write(name: string, text: string): Promise<void> {
    await this.shelf.put({ ...(await this.shelf.get(name)), name, text });
  }

  remove(name: string): Promise<void> {
    return this.shelf.delete(name);
  }

  async random(length: number): Promise<Uint8Array> {
    return crypto.getRandomValues(new Uint8Array(length));
  }
}

/** Keys of WebCrypto, not extractable, kept in IndexedDB: for a browser or an installed web app. */
export const webKeyStore = (database = 'stepup-sdk'): KeyStore => new WebCryptoKeyStore(databaseShelf(database));

/** Keys of WebCrypto that end with the process: for tests and for scripts. */
export const memoryKeyStore = (): KeyStore => new WebCryptoKeyStore(memoryShelf());

/** What an app's native module does with the Secure Enclave or the Android Keystore. All texts are standard base64. */
export interface NativeKeys {
  /** Makes a P-256 key; answers its SubjectPublicKeyInfo (Android) or the 65 bytes of its point (iOS). */
  createKey(name: string, attestationChallenge?: string): Promise<string>;
  /** `SHA256withECDSA`, `ecdsaSignatureMessageX962SHA256`: the DER signature of these bytes. */
  sign(name: string, bytes: string): Promise<string>;
  /** See {@link KeyStore.attest}. */
  attest?(name: string, hash: string): Promise<Attestation | undefined>;
  /** No error if there is none of this name. */
  deleteKey(name: string): Promise<void>;
  randomBytes(length: number): Promise<string>;
}

/** `AsyncStorage`, an encrypted store, or anything else with these three. */
export interface TextStorage {
  getItem(name: string): Promise<string | null>;
  setItem(name: string, text: string): Promise<void>;
  removeItem(name: string): Promise<void>;
}

/** Keys in the phone's hardware, by way of the app's native module. What the module gives is checked before it is sent. */
export function reactNativeKeyStore({ keys, storage }: { keys: NativeKeys; storage: TextStorage }): KeyStore {
  return {
    async create(name, challenge) {
      await storage.removeItem(name);
      return spkiOf(fromBase64(await keys.createKey(name, challenge && toBase64(challenge))));
    },
    attest: async (name, hash) => keys.attest?.(name, toBase64(hash)),
    sign: async (name, bytes) => checkDer(fromBase64(await keys.sign(name, toBase64(bytes)))),
    read: async (name) => (await storage.getItem(name)) ?? undefined,
    write: (name, text) => storage.setItem(name, text),
    async remove(name) {
      await storage.removeItem(name);
      await keys.deleteKey(name);
    },
    random: async (length) => fromBase64(await keys.randomBytes(length)),
  };
}
