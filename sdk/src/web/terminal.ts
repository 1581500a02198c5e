// A registered terminal: it says under its key that a challenge is its own, and that a phone is near.

import { fromBase64Url, toBase64, toBase64Url, utf8 } from '../shared/bytes.js';
import { StepupError } from '../shared/http.js';
import { checkDer } from '../shared/keys.js';
import { message } from '../shared/messages.js';
import { sha256 } from '../shared/sha256.js';
import { databaseShelf, makePair, signWith, spkiOfPair } from '../shared/web-keys.js';

/** What an administrator registered: its id, and the key that it has. `webTerminal` makes one in a browser. */
export interface Terminal {
  id: string;
  /** ECDSA over SHA-256 of the bytes with the P-256 key, in ASN.1 DER: of a TPM, a secure element, or WebCrypto. */
  sign(bytes: Uint8Array): Promise<Uint8Array>;
}

/** How a phone reached the terminal. */
export type Channel = 'nfc' | 'ble' | 'uwb';

/** What a phone asks over the radio. */
export interface NearQuestion {
  /** The id that the phone read off the screen. */
  challengeId: string;
  /** Made by the phone for this claim: 16 bytes, base64url. */
  nonce: string;
  /** Of the radio that the question came by: the terminal says it, not the phone. */
  channel: Channel;
}

/** What stands in the request for a challenge. */
export interface SignedRequest {
  terminalId: string;
  serverNonce: string;
  nonce: string;
  signature: string;
}

/** What the server gives out for terminals to sign with. */
export interface Issued {
  nonce: string;
  issuer: string;
}

/** What terminals of one tenant sign. The server's nonce is asked for once, and kept until it is good no more. */
export class TerminalMessages {
  #issued: Promise<Issued> | undefined;

  constructor(private readonly tenant: string, private readonly ask: () => Promise<Issued>) {}

  /** That the terminal makes a challenge of this action. Good for one. */
  async create(terminal: Terminal, action: string, token?: string): Promise<SignedRequest> {
    const { nonce: server, issuer: iss } = await this.#current();
    const nonce = toBase64Url(crypto.getRandomValues(new Uint8Array(16)));
    const hash = token === undefined ? '' : toBase64Url(sha256(utf8(token)));
    const text = message('create', { iss, tenant: this.tenant, terminal: terminal.id, action, token: hash, server, nonce });
    return { terminalId: terminal.id, serverNonce: server, nonce, signature: await signed(terminal, text) };
  }

  /** That a phone with this nonce was reached over this channel. */
  async near(terminal: Terminal, { challengeId: challenge, nonce, channel }: NearQuestion): Promise<string> {
    const wrong = !['nfc', 'ble', 'uwb'].includes(channel) ? '`channel` is `nfc`, `ble` or `uwb`' : !isNonce(nonce) ? '`nonce` is 16 bytes in base64url' : undefined;
    if (wrong !== undefined) throw new StepupError(0, 'invalid_request', wrong);
    const { issuer: iss } = await this.#current();
    return signed(terminal, message('near', { iss, tenant: this.tenant, terminal: terminal.id, challenge, channel, nonce }));
  }

  /** The next request asks for another nonce. */
  renew(): void {
    this.#issued = undefined;
  }

  #current(): Promise<Issued> {
    const issued = (this.#issued ??= this.ask());
    // What could not be had is asked for again.
    issued.catch(() => this.#issued === issued && this.renew());
    return issued;
  }
}

const signed = async (terminal: Terminal, text: string): Promise<string> => toBase64(checkDer(await terminal.sign(utf8(text))));

function isNonce(text: unknown): boolean {
  try {
    return typeof text === 'string' && fromBase64Url(text).length === 16;
  } catch {
    return false;
  }
}

/**
 * The terminal's key in this browser: made when it is first asked for, not extractable, kept in IndexedDB. An administrator registers
 * `publicKey` under the id. A key that was revoked never comes back: `renew` makes another in its place.
 */
export async function webTerminal(id: string, { renew = false, database = 'stepup-sdk' } = {}): Promise<Terminal & { publicKey: string }> {
  const shelf = databaseShelf(database);
  const name = `terminal:${id}`;
  if (renew) await shelf.delete(name);
  // Two pages that ask at a time get one key: the first that is there stays.
  const { pair } = (await shelf.get(name)) ?? (await shelf.keep({ name, pair: await makePair() }));
  if (!pair) throw new Error(`what is kept as \`${name}\` is no key`);
  return { id, publicKey: toBase64(await spkiOfPair(pair)), sign: (bytes) => signWith(pair, bytes) };
}
