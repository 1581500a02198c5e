// For a phone: it holds a key, takes a challenge that it scanned, shows what is asked, and signs the answer.
//
// Version 2 signs what was shown, for this claim, by this key (see the design of messages). Version 1 signs the id alone, as
// stock phones do; a policy may refuse it.

import { fromBase64Url, textOf, toBase64, toBase64Url, utf8 } from '../shared/bytes.js';
import { answered, base, send, StepupError, type StepupResponse } from '../shared/http.js';
import { readToken, tokenOf } from '../shared/token.js';
import { message, removalWindow } from './messages.js';
import { sha256 } from '../shared/sha256.js';
import type { KeyStore } from './stores.js';

export type { StepupResponse } from '../shared/http.js';
export { memoryKeyStore, reactNativeKeyStore, webKeyStore } from './stores.js';
export type { KeyStore, NativeKeys, TextStorage } from './stores.js';

export interface StepupMobileOptions {
  tenantId: string;
  /** Where the server is, ending in `/v1`. */
  baseUrl: string;
  keyStore: KeyStore;
  /** How this phone signs. Default 2. */
  signatureVersion?: 1 | 2;
  /** `ios`, `android` or `web`: what the backend sees in its list of phones. */
  platform?: string;
  /** Tells apart the keys of several people on one phone. */
  username?: string;
}

/** What is known of an enrolled key. */
export interface AppCredential {
  /** The same as `userAuthenticatorId`. */
  credentialId: string;
  userAuthenticatorId: string;
  userId: string;
  verifiedAt: string;
  lastVerifiedAt?: string;
  expiresAt?: string;
  /** With `showsRecoveryCodes`, if the person had none: show them now, they are kept nowhere. */
  recoveryCodes?: string[];
}

/** One thing that the person is asked about. */
export interface Detail {
  field: string;
  value: string;
}

/** What the person is asked, read out of the very bytes that will be signed. */
export interface Context {
  version: 2;
  tenant: string;
  challenge: string;
  action: string;
  idempotencyKey: string | null;
  user: string | null;
  level: string;
  origin: { ip: string | null; country: string | null; region: string | null; city: string | null; device: string | null; userAgent: string | null };
  custom: Record<string, unknown>;
  /** The details that the approval is bound to: show them large. */
  bind: Detail[];
  show: Detail[];
  /** Places in this text that mix scripts, as forgeries do: show a warning. */
  mixedScript: string[];
  createdAt: string;
  expiresAt: string;
}

export interface ClaimChallengeResponse {
  success: boolean;
  ipAddress?: string;
  userAgent?: string;
  actionCode?: string;
  idempotencyKey?: string;
  custom?: Record<string, unknown>;
  user?: { custom?: Record<string, unknown> };
  /** Only in version 2. */
  context?: Context;
  /** Whether the person must type the number that the screen shows. */
  needsCode?: boolean;
  /** Only in version 2: the person's phones that were added after this one last answered. Show them: one may be a thief's. */
  phonesAdded?: { deviceName: string | null; devicePlatform: string; addedAt: string }[];
}

/** What is kept beside the key: whom the phone talks to, pinned when it was enrolled. */
interface Pinned {
  id: string;
  user: string;
  issuer: string;
  tenant: string;
  publicKey: string;
}

interface Claimed {
  claim: string;
  contextHash: string;
}

export interface AddCredentialInput {
  token: string;
  deviceName?: string;
  showsRecoveryCodes?: boolean;
}

/** A client of one tenant on one phone. */
export class Stepup {
  readonly qrCode: QrCode;

  constructor(options: StepupMobileOptions) {
    this.qrCode = new QrCode(options);
  }
}

const PATH = '/client/user-authenticators/qr-code';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The phone's side of a QR challenge. Nothing here throws: a refusal is in the answer. */
export class QrCode {
  readonly #options: StepupMobileOptions;
  readonly #name: string;
  readonly #claims = new Map<string, Claimed>();

  constructor(options: StepupMobileOptions) {
    this.#options = { ...options, baseUrl: base(options.baseUrl) };
    this.#name = ['stepup', options.tenantId, ...(options.username === undefined ? [] : [options.username])].join(':');
  }

  /**
   * Makes a key and enrols it under the user of a `track` token (or of the `url` that holds it). An app that shows recovery codes to
   * the person says so with `showsRecoveryCodes`, and gets some for a person who has none.
   */
  addCredential({ token: tokenOrUrl, deviceName, showsRecoveryCodes = false }: AddCredentialInput): Promise<StepupResponse<AppCredential>> {
    return answered(async () => {
      const token = tokenOf(tokenOrUrl);
      const { aud } = readToken(token);
      if (aud !== this.#options.tenantId) throw new StepupError(0, 'invalid_token', 'the token is of another tenant');
      const store = this.#options.keyStore;
      const spki = await store.create(this.#name);
      try {
        return await this.#enrol(token, spki, deviceName, showsRecoveryCodes);
      } catch (error) {
        await store.remove(this.#name);
        throw error;
      }
    });
  }

  async #enrol(token: string, spki: Uint8Array, deviceName: string | undefined, showsRecoveryCodes: boolean): Promise<AppCredential> {
    const { tenantId, keyStore, platform } = this.#options;
    const authorization = `Bearer ${token}`;
    const publicKey = toBase64(spki);
    let issuer = '';
    const body: Record<string, unknown> = { publicKey, deviceName: deviceName ?? 'Phone', devicePlatform: platform ?? 'other', ...(showsRecoveryCodes ? { recoveryCodes: true } : {}) };
    if (this.#isVersion2) {
      issuer = readToken(token).iss ?? '';
      const { nonce } = await this.#post<{ nonce: string }>('/client/challenge', {}, authorization);
      const text = message('enroll', { iss: issuer, tenant: tenantId, nonce, key: hash(spki), token: hash(utf8(token)) });
      Object.assign(body, { version: 2, nonce, signature: await this.#sign(text) });
    }
    const made = await this.#post<Omit<AppCredential, 'credentialId'>>(PATH, body, authorization);
    const pinned: Pinned = { id: made.userAuthenticatorId, user: made.userId, issuer, tenant: tenantId, publicKey };
    await keyStore.write(this.#name, JSON.stringify(pinned));
    return { ...made, credentialId: made.userAuthenticatorId };
  }

  /** The enrolled key, or nothing if this phone has none. A key that was revoked is the error `invalid_credential`. */
  getCredential(): Promise<StepupResponse<AppCredential | undefined>> {
    return answered(async () => {
      const pinned = await this.#pinned();
      if (!pinned) return undefined;
      const query = encodeURIComponent(toBase64(utf8(pinned.publicKey)));
      const url = `${this.#options.baseUrl}${PATH}?publicKey=${query}`;
      const found = await send<Omit<AppCredential, 'credentialId'>>({ method: 'GET', url, authorization: this.#tenant });
      return { ...found, credentialId: found.userAuthenticatorId };
    });
  }

  /** Takes the key out at the server, then forgets it here. The key stays if the server cannot be reached. */
  removeCredential(): Promise<StepupResponse<boolean>> {
    return answered(async () => {
      const pinned = await this.#pinned();
      if (!pinned) return false;
      try {
        await this.#post(`${PATH}/remove`, await this.#removal(pinned));
      } catch (error) {
        // The server knows no such key: there is nothing left to take out.
        if (!(error instanceof StepupError) || !['unknown_credential', 'invalid_credential'].includes(error.errorCode)) throw error;
      }
      await this.#options.keyStore.remove(this.#name);
      return true;
    });
  }

  async #removal({ id, issuer, tenant, publicKey }: Pinned): Promise<object> {
    if (!this.#isVersion2) return { publicKey, signature: await this.#sign(removalWindow(Date.now() / 1000)) };
    const { nonce } = await this.#post<{ nonce: string }>('/client/challenge', {});
    const signature = await this.#sign(message('remove', { iss: issuer, tenant, credential: id, nonce }));
    return { version: 2, userAuthenticatorId: id, nonce, signature };
  }

  /**
   * Takes a challenge for this phone and answers what the person must be shown. `challengeId` is the scanned text: the bare id, or
   * the link that the server's own page draws.
   */
  claimChallenge({ challengeId: scanned }: { challengeId: string }): Promise<StepupResponse<ClaimChallengeResponse>> {
    return answered(async () => {
      const pinned = await this.#needed();
      const challenge = challengeIn(scanned, pinned.issuer || this.#options.baseUrl);
      const body: Record<string, unknown> = { challengeId: challenge, publicKey: pinned.publicKey };
      if (!this.#isVersion2) {
        return this.#post<ClaimChallengeResponse>(`${PATH}/challenge/claim`, { ...body, signature: await this.#sign(challenge) });
      }
      const nonce = toBase64Url(await this.#options.keyStore.random(16));
      const signature = await this.#sign(
        message('claim', { iss: pinned.issuer, tenant: pinned.tenant, challenge, credential: pinned.id, qr: '', nonce }),
      );
      type Wire = Omit<ClaimChallengeResponse, 'context'> & { context: string; claim: string };
      const { context: encoded, claim, ...answer } = await this.#post<Wire>(`${PATH}/challenge/claim`, { ...body, version: 2, nonce, signature });
      const bytes = fromBase64Url(encoded);
      const context = JSON.parse(textOf(bytes)) as Context;
      if (context.version !== 2 || context.challenge !== challenge || context.tenant !== pinned.tenant) {
        throw new StepupError(0, 'invalid_answer', 'the server answered the context of another challenge');
      }
      this.#claims.set(challenge, { claim, contextHash: hash(bytes) });
      return { ...answer, context };
    });
  }

  /** Signs and sends the answer to a claimed challenge. `data` says whether it is approved. */
  updateChallenge({ challengeId: scanned, approved, verificationCode }: UpdateChallengeInput): Promise<StepupResponse<boolean>> {
    return answered(async () => {
      const pinned = await this.#needed();
      const challengeId = challengeIn(scanned, pinned.issuer || this.#options.baseUrl);
      const body = { challengeId, publicKey: pinned.publicKey, approved, verificationCode: verificationCode ?? null };
      const claimed = this.#claims.get(challengeId);
      let answer: { isVerified: boolean };
      if (!this.#isVersion2) {
        answer = await this.#post(`${PATH}/challenge`, { ...body, signature: await this.#sign(challengeId) });
      } else {
        if (!claimed) throw new StepupError(0, 'not_claimed', 'claim the challenge, show its context, and answer then');
        const text = message('decide', {
          iss: pinned.issuer,
          tenant: pinned.tenant,
          challenge: challengeId,
          credential: pinned.id,
          claim: claimed.claim,
          ctx: claimed.contextHash,
          decision: approved ? 'approve' : 'reject',
          code: verificationCode ?? '',
        });
        answer = await this.#post(`${PATH}/challenge`, { ...body, version: 2, signature: await this.#sign(text) });
      }
      this.#claims.delete(challengeId);
      return answer.isVerified;
    });
  }

  get #isVersion2(): boolean {
    return this.#options.signatureVersion !== 1;
  }

  get #tenant(): string {
    return `Basic ${toBase64(utf8(`${this.#options.tenantId}:`))}`;
  }

  #post<T>(path: string, body: object, authorization = this.#tenant): Promise<T> {
    return send<T>({ method: 'POST', url: this.#options.baseUrl + path, authorization, body });
  }

  async #sign(text: string): Promise<string> {
    return toBase64(await this.#options.keyStore.sign(this.#name, utf8(text)));
  }

  async #pinned(): Promise<Pinned | undefined> {
    const text = await this.#options.keyStore.read(this.#name);
    return text === undefined ? undefined : (JSON.parse(text) as Pinned);
  }

  async #needed(): Promise<Pinned> {
    const pinned = await this.#pinned();
    if (!pinned) throw new StepupError(0, 'unknown_credential', 'this phone is not enrolled; add a credential first');
    if (this.#isVersion2 && pinned.issuer === '') throw new StepupError(0, 'unknown_credential', 'this key was enrolled for version 1; add it again');
    return pinned;
  }
}

export interface UpdateChallengeInput {
  challengeId: string;
  approved: boolean;
  /** The digits that the person typed, if `needsCode` was true. */
  verificationCode?: string | null;
}

const hash = (bytes: Uint8Array): string => toBase64Url(sha256(bytes));

/** The id in a scanned text. A phone signs nothing else, whatever it scans, and follows no link to another host. */
function challengeIn(scanned: string, issuer: string): string {
  const link = /^(https?:\/\/[^/?#]+)\/authenticator#c=([0-9a-f-]{36})$/i.exec(scanned);
  const ours = link !== null && link[1]?.toLowerCase() === /^https?:\/\/[^/?#]+/i.exec(issuer)?.[0].toLowerCase();
  const id = (ours ? (link[2] ?? '') : scanned).toLowerCase();
  if (!UUID.test(id)) throw new StepupError(0, 'invalid_qr_code', 'this code is not one of this service');
  return id;
}
