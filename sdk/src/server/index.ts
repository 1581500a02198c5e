// For a backend: what may this user do, and was the challenge passed? Runs wherever `fetch` does (Node 20, Deno, Bun, workers).

import { toBase64, utf8 } from '../shared/bytes.js';
import { base, repeated, segment, send } from '../shared/http.js';
import type * as Wire from './types.js';
import { Webhook } from './webhook.js';

export { StepupError } from '../shared/http.js';
export type { FieldIssue } from '../shared/http.js';
export type * from './types.js';
export { InvalidSignatureError, Webhook, type WebhookEvent } from './webhook.js';

/** A client of one tenant. Every method throws {@link StepupError} when the server refuses. */
export class Stepup {
  readonly apiUrl: string;
  /** Verifies webhooks that are signed with the API secret. One with a secret of its own has `new Webhook(secret)`. */
  readonly webhook: Webhook;
  readonly #authorization: string;
  readonly #retries: number;

  constructor({ apiSecretKey, apiUrl, retries = 2 }: Wire.StepupOptions) {
    this.apiUrl = base(apiUrl);
    this.webhook = new Webhook(apiSecretKey);
    this.#authorization = `Basic ${toBase64(utf8(`${apiSecretKey}:`))}`;
    this.#retries = retries;
  }

  /** May the user do this? The answer is durable before it is given. */
  track({ userId, action, attributes = {} }: Wire.TrackRequest): Promise<Wire.TrackResponse> {
    return this.#call('POST', `/users/${segment(userId)}/actions/${segment(action)}`, attributes);
  }

  /** Was the challenge passed? Ask once: a token validates one time. */
  async validateChallenge(request: Wire.ValidateChallengeRequest): Promise<Wire.ValidateChallengeResponse> {
    const answer = await this.#call<Wire.ValidateChallengeResponse>('POST', '/validate', request);
    return answer.action === undefined && answer.actionCode !== undefined ? { ...answer, action: answer.actionCode } : answer;
  }

  getAction(key: Wire.ActionKey): Promise<Wire.GetActionResponse> {
    return this.#call('GET', actionPath(key));
  }

  /** Says how an action ended, for instance after a review. */
  updateAction({ attributes, ...key }: Wire.UpdateActionRequest): Promise<Wire.ActionSummary> {
    return this.#call('PATCH', actionPath(key), attributes);
  }

  /** The user's actions, newest first. */
  queryUserActions({ userId, fromDate, actionCodes, state }: Wire.QueryUserActionsRequest): Promise<Wire.ActionSummary[]> {
    return this.#call('GET', `/users/${segment(userId)}/actions${query({ fromDate, codes: actionCodes?.join(','), state })}`);
  }

  /** A user who was never seen is simply not enrolled. */
  getUser({ userId }: { userId: string }): Promise<Wire.GetUserResponse> {
    return this.#call('GET', `/users/${segment(userId)}`);
  }

  queryUsers(request: Wire.QueryUsersRequest): Promise<Wire.QueryUsersResponse> {
    return this.#call('GET', `/users${query({ ...request })}`);
  }

  /** Sets the attributes that are given. */
  updateUser({ userId, attributes }: { userId: string; attributes: Wire.UserAttributes }): Promise<Wire.UserAttributes> {
    return this.#call('PATCH', `/users/${segment(userId)}`, attributes);
  }

  /** Forgets the user and revokes their phones. */
  async deleteUser({ userId }: { userId: string }): Promise<void> {
    await this.#call('DELETE', `/users/${segment(userId)}`);
  }

  getAuthenticators({ userId }: { userId: string }): Promise<Wire.UserAuthenticator[]> {
    return this.#call('GET', `/users/${segment(userId)}/authenticators`);
  }

  /** The phone can approve nothing from now on. */
  async deleteAuthenticator({ userId, userAuthenticatorId }: { userId: string; userAuthenticatorId: string }): Promise<void> {
    await this.#call('DELETE', `/users/${segment(userId)}/authenticators/${segment(userAuthenticatorId)}`);
  }

  /** Recovery codes for a user, answered only now; those of before are worth nothing. `verificationMethod` is `RECOVERY_CODE`: phones enrol themselves. */
  enrollVerifiedAuthenticator({ userId, attributes }: Wire.EnrollVerifiedAuthenticatorRequest): Promise<Wire.EnrollVerifiedAuthenticatorResponse> {
    return this.#call('POST', `/users/${segment(userId)}/authenticators`, attributes);
  }

  /** For a key of the role `admin`: takes the user's phones and recovery codes away, and permits one new phone. The same key again is the same reset. */
  resetUser({ userId, idempotencyKey, ...why }: Wire.ResetUserRequest): Promise<Wire.ResetUserResponse> {
    return this.#call('POST', `/users/${segment(userId)}/reset`, why, idempotencyKey);
  }

  /** The open challenge of a user or with an id; empty when there is none. */
  getChallenge(request: Wire.GetChallengeRequest): Promise<Wire.GetChallengeResponse> {
    return this.#call('GET', `/challenges${query({ ...request })}`);
  }

  /** A session of an application for an approval: the token of the challenge is used up by it. */
  createSession(request: Wire.CreateSessionRequest): Promise<Wire.SessionTokens> {
    return this.#call('POST', '/sessions', request);
  }

  /** Whose session it is, now. Throws when it is over, or when the access token has expired. */
  validateSession(request: Wire.ValidateSessionRequest): Promise<Wire.ValidateSessionResponse> {
    return this.#call('POST', '/sessions/validate', request);
  }

  /** The next pair of tokens; the old pair is worth nothing, and a refresh token that comes a second time ends the session. */
  refreshSession(request: { refreshToken: string }): Promise<Wire.SessionTokens> {
    return this.#call('POST', '/sessions/refresh', request);
  }

  /** Ends a session, also one whose access token has expired. */
  async revokeSession(request: { accessToken: string }): Promise<void> {
    await this.#call('POST', '/sessions/revoke', request);
  }

  /** Ends every session of a user. */
  async revokeUserSessions(request: { userId: string }): Promise<void> {
    await this.#call('POST', '/sessions/user/revoke', request);
  }

  /** The devices that the user was seen on. */
  getDevices({ userId }: { userId: string }): Promise<Wire.UserDevice[]> {
    return this.#call('GET', `/users/${segment(userId)}/devices`);
  }

  /** Remembers a device until a time, or with `null` no more. */
  updateDevice({ userId, deviceId, attributes }: Wire.UpdateDeviceRequest): Promise<Wire.UserDevice> {
    return this.#call('PATCH', `/users/${segment(userId)}/devices/${segment(deviceId)}`, attributes);
  }

  /** Takes a device back: it is as good as a new one. */
  invalidateDevice({ userId, deviceId }: { userId: string; deviceId: string }): Promise<Wire.UserDevice> {
    return this.#call('POST', `/users/${segment(userId)}/devices/${segment(deviceId)}/invalidate`, {});
  }

  /** What was decided and why: the signals that were read and the trace of every rule. */
  getDecision({ decisionId }: { decisionId: string }): Promise<Wire.Decision> {
    return this.#call('GET', `/decisions/${segment(decisionId)}`);
  }

  /** Decisions, newest first; `cursor` of the answer turns the page. */
  queryDecisions(request: Wire.QueryDecisionsRequest = {}): Promise<{ decisions: Wire.DecisionSummary[]; cursor?: string }> {
    return this.#call('GET', `/decisions${query({ ...request })}`);
  }

  /** What would the rules say? Nothing is stored and nothing is counted. */
  evaluate({ userId, action, attributes = {} }: Wire.TrackRequest): Promise<Record<string, unknown>> {
    return this.#call('POST', '/evaluate', { ...attributes, userId, action });
  }

  /** The policies in force: their version, actions, rules and lists. */
  getPolicies(): Promise<Record<string, unknown>> {
    return this.#call('GET', '/policies');
  }

  /** The text of a pack that is in force or was, by the `policyVersion` of a decision. */
  getPolicy({ policyVersion }: { policyVersion: string }): Promise<Wire.PolicyText> {
    return this.#call('GET', `/policies/${segment(policyVersion)}`);
  }

  /** What the compiler says of the text of policies. Nothing is changed. */
  checkPolicies(request: { source: string } | { files: Record<string, string> }): Promise<Wire.CheckPoliciesResponse> {
    return this.#call('POST', '/policies/check', request);
  }

  /** What was added to a list of the policies, and still is on it. */
  async getListEntries({ list }: { list: string }): Promise<Wire.ListEntry[]> {
    return (await this.#call<{ entries: Wire.ListEntry[] }>('GET', `/lists/${segment(list)}/entries`)).entries;
  }

  /** Rules see it at once. */
  addListEntry({ list, ...entry }: Wire.AddListEntryRequest): Promise<Wire.ListEntry> {
    return this.#call('POST', `/lists/${segment(list)}/entries`, entry);
  }

  async deleteListEntry({ list, value }: { list: string; value: string }): Promise<void> {
    await this.#call('DELETE', `/lists/${segment(list)}/entries${query({ value })}`);
  }

  /** Lets a terminal vouch for the challenges that it shows; needs an administrator's key. Another key takes the old one's place. */
  registerTerminal({ terminalId, ...terminal }: Wire.RegisterTerminalRequest): Promise<Wire.TerminalChange> {
    return this.#call('PUT', `/terminals/${segment(terminalId)}`, terminal);
  }

  getTerminal({ terminalId }: { terminalId: string }): Promise<Wire.RegisteredTerminal> {
    return this.#call('GET', `/terminals/${segment(terminalId)}`);
  }

  /** Every key that a terminal has, or had. */
  async getTerminals(): Promise<Wire.RegisteredTerminal[]> {
    return (await this.#call<{ terminals: Wire.RegisteredTerminal[] }>('GET', '/terminals')).terminals;
  }

  /** Its key vouches for nothing any more, and what is on its screen is cancelled; needs an administrator's key. */
  revokeTerminal({ terminalId }: { terminalId: string }): Promise<Wire.TerminalChange> {
    return this.#call('DELETE', `/terminals/${segment(terminalId)}`);
  }

  /** The webhooks of the configuration, and how many deliveries wait. */
  async getWebhooks(): Promise<Wire.WebhookEndpoint[]> {
    return (await this.#call<{ webhooks: Wire.WebhookEndpoint[] }>('GET', '/webhooks')).webhooks;
  }

  /** What could not be delivered. */
  queryDeadLetters(request: { endpoint?: string; limit?: number; cursor?: string } = {}): Promise<{ deadLetters: Wire.DeadLetter[]; cursor?: string }> {
    return this.#call('GET', `/webhooks/dead-letters${query({ ...request })}`);
  }

  /** Gives one of them, those of an endpoint, or all of them their attempts again. */
  redeliverWebhooks(request: { id?: string; endpoint?: string } = {}): Promise<{ redelivered: number }> {
    return this.#call('POST', '/webhooks/redeliver', request);
  }

  /**
   * A lost connection does not say whether the request arrived. `track` with an idempotency key and every read may be sent again
   * safely; a `track` without one gets a key here, so that a repeat is not a second event.
   */
  async #call<T>(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: object, named?: string): Promise<T> {
    const tracks = method === 'POST' && path.startsWith('/users/');
    const key: Record<string, string> = tracks && !(body as Wire.TrackAttributes).idempotencyKey ? { 'Idempotency-Key': named ?? randomKey() } : {};
    const once = (): Promise<T> => send<T>({ method, url: this.apiUrl + path, authorization: this.#authorization, headers: key, ...(body ? { body } : {}) });
    return repeated(once, this.#retries, ({ statusCode }) => statusCode === 0 || (method === 'GET' && statusCode >= 500));
  }
}

const actionPath = ({ userId, action, idempotencyKey }: Wire.ActionKey): string =>
  `/users/${segment(userId)}/actions/${segment(action)}/${segment(idempotencyKey)}`;

function query(values: Record<string, string | number | undefined>): string {
  const pairs = Object.entries(values).filter(([, value]) => value !== undefined && value !== '');
  return pairs.length === 0 ? '' : `?${pairs.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join('&')}`;
}

const randomKey = (): string => crypto.randomUUID();
