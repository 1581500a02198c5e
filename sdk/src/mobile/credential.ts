// One kind of key of this phone: made, enrolled, found again, taken out; and what it signs about a challenge.

import { fromBase64Url, textOf, toBase64, toBase64Url, utf8 } from '../shared/bytes.js';
import { answered, base, repeated, send, StepupError, type Request, type StepupResponse } from '../shared/http.js';
import { sha256 } from '../shared/sha256.js';
import { readToken, tokenOf } from '../shared/token.js';
import { message, removalWindow } from '../shared/messages.js';
import type { QrKey } from './scanned.js';
import { shown } from './text.js';
import type { AddCredentialInput, AppCredential, ClaimChallengeResponse, Context, Near, StepupMobileOptions } from './types.js';

/** Which challenges a key answers: those that are scanned, those that are sent, or those that the app asks for itself. */
export type Kind = 'qr-code' | 'push' | 'in-app';

/** What is kept of an enrolled key: whom the phone talks to, pinned when it was enrolled. */
export interface Pinned {
  id: string;
  user: string;
  issuer: string;
  tenant: string;
  publicKey: string;
  /** The key's name in the store; without it the name that this text has. */
  key?: string;
  qrKeys?: QrKey[];
}

/** A challenge that this phone has. */
export interface Claimed {
  claim: string;
  contextHash: string;
  needsCode: boolean;
}

/** How a challenge is taken. */
interface ClaimOptions {
  /** The rolling code that was scanned. */
  code?: string;
  near?: Near | undefined;
  authorization?: string;
  username?: string;
}

/** What the server says of a key. */
type Described = Omit<AppCredential, 'credentialId'> & { qrKeys?: QrKey[] };

/** The calls that every kind of key has. Nothing in them throws: a refusal is in the answer. */
export class Credential {
  /** @internal The token of `track`, if the app has set one. */
  token: string | undefined;
  protected readonly options: StepupMobileOptions;
  protected readonly path: string;
  readonly #kind: Kind;
  readonly #claims = new Map<string, Claimed>();

  constructor(kind: Kind, options: StepupMobileOptions) {
    this.options = { ...options, baseUrl: base(options.baseUrl) };
    this.path = `/client/user-authenticators/${kind}`;
    this.#kind = kind;
  }

  /**
   * Makes a key and enrols it under the user of a `track` token (or of the `url` that holds it). A key that is there already signs
   * until the server has taken the new one. An app that shows recovery codes to the person says so with `showsRecoveryCodes`, and
   * gets some for a person who has none.
   */
  addCredential(input: AddCredentialInput = {}): Promise<StepupResponse<AppCredential>> {
    return answered(async () => {
      const token = tokenOf(input.token ?? this.token ?? '');
      if (token === '') throw new StepupError(0, 'token_not_set', 'give the token of a `track` with the scope `add:authenticators`');
      if (readToken(token).aud !== this.options.tenantId) throw new StepupError(0, 'invalid_token', 'the token is of another tenant');
      const { keyStore } = this.options;
      const name = this.#name(input.username);
      const before = await this.pinned(input.username);
      // Two names take turns, so that the new key has one of its own, and a crash leaves nothing that is not overwritten.
      const key = before?.key === `${name}.1` ? `${name}.2` : `${name}.1`;
      const nonce = this.isVersion2 ? (await this.post<{ nonce: string }>('/client/challenge', {}, `Bearer ${token}`)).nonce : undefined;
      // A keystore wants its challenge before there is a key, so this is the one thing that it can be told.
      const spki = await keyStore.create(key, nonce === undefined ? undefined : sha256(utf8(nonce)));
      let made: Described;
      try {
        made = await this.#enrol(token, nonce, key, spki, input);
      } catch (error) {
        await keyStore.remove(key);
        throw error;
      }
      // Best effort: the old key signs nothing any more, for nothing names it. One without a name of its own goes with the text.
      if (before?.key !== undefined) await keyStore.remove(before.key).catch(() => undefined);
      return { ...made, credentialId: made.userAuthenticatorId };
    });
  }

  async #enrol(token: string, nonce: string | undefined, key: string, spki: Uint8Array, { deviceName, showsRecoveryCodes, pushToken, username }: AddCredentialInput): Promise<Described> {
    const { tenantId: tenant, keyStore, platform } = this.options;
    const authorization = `Bearer ${token}`;
    const publicKey = toBase64(spki);
    const body: Record<string, unknown> = {
      publicKey,
      deviceName: deviceName ?? 'Phone',
      devicePlatform: platform ?? 'other',
      ...(pushToken === undefined ? {} : { pushToken }),
      ...(showsRecoveryCodes ? { recoveryCodes: true } : {}),
    };
    let issuer = '';
    if (nonce !== undefined) {
      issuer = readToken(token).iss ?? '';
      const text = message('enroll', { iss: issuer, tenant, nonce, key: hash(spki), token: hash(utf8(token)) });
      Object.assign(body, { version: 2, nonce, signature: toBase64(await keyStore.sign(key, utf8(text))) });
      const attestation = await keyStore.attest?.(key, sha256(utf8(text)));
      if (attestation) body['performAttestation'] = attestation;
    }
    type Enrolled = Described & { issuer?: string; tenantId?: string };
    // The same request is the same enrolment. Giving up after a lost answer would leave a key at the server that nobody has.
    const { issuer: _issuer, tenantId: _tenant, qrKeys, ...made } = await repeated(() => this.post<Enrolled>(this.path, body, authorization));
    const pinned: Pinned = { id: made.userAuthenticatorId, user: made.userId, issuer, tenant, publicKey, key, ...(qrKeys ? { qrKeys } : {}) };
    // From here on the new key is the one: one write, so there is no moment without any.
    await keyStore.write(this.#name(username), JSON.stringify(pinned));
    return made;
  }

  /** The enrolled key, or nothing if this phone has none. A key that was revoked is the error `invalid_credential`. */
  getCredential({ username }: { username?: string } = {}): Promise<StepupResponse<AppCredential | undefined>> {
    return answered(async () => {
      const pinned = await this.pinned(username);
      if (!pinned) return undefined;
      const { qrKeys, ...found } = await this.#described(pinned, username);
      await this.#learn(pinned, qrKeys, username);
      return { ...found, credentialId: found.userAuthenticatorId };
    });
  }

  /** What is pinned, with the keys for codes that the server has now. */
  protected async relearned(pinned: Pinned): Promise<Pinned> {
    return this.#learn(pinned, (await this.#described(pinned)).qrKeys);
  }

  /** Pins the keys for codes that an answer names, so that the next one is known before it signs. */
  async #learn(pinned: Pinned, qrKeys: QrKey[] | undefined, username?: string): Promise<Pinned> {
    if (!qrKeys || JSON.stringify(qrKeys) === JSON.stringify(pinned.qrKeys)) return pinned;
    const learned = { ...pinned, qrKeys };
    // Best effort: what was answered counts though it cannot be kept.
    await this.options.keyStore.write(this.#name(username), JSON.stringify(learned)).catch(() => undefined);
    return learned;
  }

  /** Signed only for a tenant that wants it so: a key may ask for a finger whenever it signs. */
  async #described(pinned: Pinned, username?: string): Promise<Described> {
    try {
      return await this.send<Described>({ method: 'GET', url: this.#named(this.path, pinned) });
    } catch (error) {
      if (!this.isVersion2 || !(error instanceof StepupError) || error.errorCode !== 'protocol_too_old') throw error;
    }
    const { nonce } = await this.post<{ nonce: string }>('/client/challenge', {});
    const text = message('auth', { method: 'GET', path: `/v1${this.path}`, body: hash(utf8('')), nonce });
    const headers = { 'X-Authsignal-Signature': await this.sign(pinned, text, username) };
    return this.send<Described>({ method: 'GET', url: `${this.#named(this.path, pinned)}&version=2&nonce=${nonce}`, headers });
  }

  /** Takes the key out at the server, then forgets it here. The key stays if the server cannot be reached. */
  removeCredential({ username }: { username?: string } = {}): Promise<StepupResponse<boolean>> {
    return answered(async () => {
      const pinned = await this.pinned(username);
      if (!pinned) return false;
      try {
        await this.post(`${this.path}/remove`, await this.#removal(pinned, username));
      } catch (error) {
        // The server knows no such key: there is nothing left to take out.
        if (!(error instanceof StepupError) || !['unknown_credential', 'invalid_credential'].includes(error.errorCode)) throw error;
      }
      const { keyStore } = this.options;
      await keyStore.remove(this.#name(username));
      if (pinned.key !== undefined) await keyStore.remove(pinned.key);
      return true;
    });
  }

  async #removal(pinned: Pinned, username?: string): Promise<object> {
    const { id, issuer, tenant, publicKey } = pinned;
    if (!this.isVersion2) return { publicKey, signature: await this.sign(pinned, removalWindow(Date.now() / 1000), username) };
    const { nonce } = await this.post<{ nonce: string }>('/client/challenge', {});
    const signature = await this.sign(pinned, message('remove', { iss: issuer, tenant, credential: id, nonce }), username);
    return { version: 2, userAuthenticatorId: id, nonce, signature };
  }

  /** Takes the challenge with version 2, and reads what the person must be shown out of the bytes that will be signed. */
  protected async claim(pinned: Pinned, challenge: string, { code = '', near, authorization, username }: ClaimOptions = {}): Promise<ClaimChallengeResponse & { context: Context }> {
    const { publicKey, issuer: iss, tenant, id: credential } = pinned;
    const nonce = toBase64Url(await this.options.keyStore.random(16));
    // The nonce is the claim's own, so no answer can have been recorded before.
    const heard = near && (await near.ask({ challengeId: challenge, nonce }));
    const proximity = near && heard !== undefined ? { near: { channel: near.channel, signature: heard } } : {};
    const signature = await this.sign(pinned, message('claim', { iss, tenant, challenge, credential, qr: code, nonce }), username);
    const body = { version: 2, challengeId: challenge, publicKey, nonce, signature, ...(code ? { qr: code } : {}), ...proximity };
    type Wire = Omit<ClaimChallengeResponse, 'context'> & { context: string; claim: string; qrKeys?: QrKey[] };
    const { context: encoded, claim, qrKeys, ...answer } = await this.post<Wire>(`${this.path}/challenge/claim`, body, authorization);
    const { context, contextHash } = contextIn(encoded, challenge, pinned);
    this.#claims.set(challenge, { claim, contextHash, needsCode: answer.needsCode === true });
    await this.#learn(pinned, qrKeys, username);
    return { ...answer, context };
  }

  /** What is known of a challenge that this phone has. */
  protected claimed(challenge: string): Claimed | undefined {
    return this.#claims.get(challenge);
  }

  /** Signs the answer to a challenge that this phone has claimed: the members that say so. */
  protected async decision(pinned: Pinned, challenge: string, approved: boolean, code = '', username?: string): Promise<object> {
    const claimed = this.#claims.get(challenge);
    if (!claimed) throw new StepupError(0, 'not_claimed', 'claim the challenge, show its context, and answer then');
    const { publicKey, issuer: iss, tenant, id: credential } = pinned;
    const { claim, contextHash: ctx } = claimed;
    const text = message('decide', { iss, tenant, challenge, credential, claim, ctx, decision: approved ? 'approve' : 'reject', code });
    return { version: 2, challengeId: challenge, publicKey, signature: await this.sign(pinned, text, username) };
  }

  /** Sends the answer; says whether the challenge is approved now. */
  protected async answer(pinned: Pinned, challenge: string, approved: boolean, code?: string | null, username?: string): Promise<boolean> {
    const signed = this.isVersion2
      ? await this.decision(pinned, challenge, approved, code ?? '', username)
      : { challengeId: challenge, publicKey: pinned.publicKey, signature: await this.sign(pinned, challenge, username) };
    const { isVerified } = await this.post<{ isVerified: boolean }>(`${this.path}/challenge`, { ...signed, approved, verificationCode: code ?? null });
    this.#claims.delete(challenge);
    return isVerified;
  }

  protected get isVersion2(): boolean {
    return this.options.signatureVersion !== 1;
  }

  protected post<T>(path: string, body: object, authorization?: string): Promise<T> {
    return this.send<T>({ method: 'POST', url: this.options.baseUrl + path, body, ...(authorization === undefined ? {} : { authorization }) });
  }

  protected send<T>(request: Omit<Request, 'authorization'> & { authorization?: string }): Promise<T> {
    return send<T>({ authorization: `Basic ${toBase64(utf8(`${this.options.tenantId}:`))}`, ...request });
  }

  /** An address with this key in its query, encoded twice as the wire wants it. */
  protected named(rest: string, pinned: Pinned, more = ''): string {
    return this.#named(this.path + rest, pinned) + more;
  }

  #named(path: string, { publicKey }: Pinned): string {
    return `${this.options.baseUrl}${path}?publicKey=${encodeURIComponent(keyInQuery(publicKey))}`;
  }

  protected async sign(pinned: Pinned, text: string, username?: string): Promise<string> {
    return toBase64(await this.options.keyStore.sign(pinned.key ?? this.#name(username), utf8(text)));
  }

  protected async pinned(username?: string): Promise<Pinned | undefined> {
    const text = await this.options.keyStore.read(this.#name(username));
    return text === undefined ? undefined : (JSON.parse(text) as Pinned);
  }

  /** The key that must be there. */
  protected async needed(username?: string): Promise<Pinned> {
    const pinned = await this.pinned(username);
    if (!pinned) throw new StepupError(0, 'unknown_credential', 'this phone is not enrolled; add a credential first');
    if (this.isVersion2 && pinned.issuer === '') throw new StepupError(0, 'unknown_credential', 'this key was enrolled for version 1; add it again');
    return pinned;
  }

  #name(username = this.options.username): string {
    const kind = this.#kind === 'qr-code' ? 'stepup' : `stepup-${this.#kind}`;
    return [kind, this.options.tenantId, ...(username === undefined ? [] : [username])].join(':');
  }
}

/** The context in its bytes, and the hash that is signed for them. Bytes about anything else are an error. */
export function contextIn(encoded: string, challenge: string, { tenant }: Pinned): { context: Context; contextHash: string } {
  const bytes = fromBase64Url(encoded);
  const context = JSON.parse(textOf(bytes)) as Context;
  if (context.version !== 2 || context.challenge !== challenge || context.tenant !== tenant) {
    throw new StepupError(0, 'invalid_answer', 'the server answered the context of another challenge');
  }
  return { context: legible(context), contextHash: hash(bytes) };
}

/** The context, if all of it may be shown; places that mix scripts are marked, whatever the server says of them. */
function legible(context: Context): Context {
  const mixedScript = new Set(context.mixedScript);
  if (context.origin.terminal) shown(context.origin.terminal.name);
  for (const place of ['bind', 'show'] as const) {
    for (const { field, value } of context[place]) {
      if (shown(field).mixedScript || shown(value).mixedScript) mixedScript.add(`/${place}/${field.replace(/~/g, '~0').replace(/\//g, '~1')}`);
    }
  }
  return { ...context, mixedScript: [...mixedScript] };
}

/** A public key as queries have it: its text, encoded once more. */
export const keyInQuery = (publicKey: string): string => toBase64(utf8(publicKey));

const hash = (bytes: Uint8Array): string => toBase64Url(sha256(bytes));
