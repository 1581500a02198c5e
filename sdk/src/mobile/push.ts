// The phone's side of a challenge that is sent to it: it asks what waits, shows it, and answers.

import { answered, StepupError, type StepupResponse } from '../shared/http.js';
import { contextIn, Credential, type Pinned } from './credential.js';
import { UUID } from './scanned.js';
import type { AppChallenge, AppCredential, StepupMobileOptions, UpdateChallengeInput, UpdateCredentialInput } from './types.js';

/** Nothing here throws: a refusal is in the answer. */
export class Push extends Credential {
  /** The hash of the context that was shown, by challenge. */
  readonly #shown = new Map<string, string>();

  constructor(options: StepupMobileOptions) {
    super('push', options);
  }

  /** What waits for this phone, or nothing. It is read and not taken: another phone of the person may still answer. */
  getChallenge(): Promise<StepupResponse<AppChallenge | undefined>> {
    return answered(async () => {
      const pinned = await this.needed();
      const signature = await this.#signed(pinned, '/challenge/sign', /^stepup\/push\/pending [\w-]{22}$/);
      const url = this.named('/challenge', pinned, this.isVersion2 ? '&version=2' : '');
      type Wire = Omit<AppChallenge, 'challengeId' | 'context'> & { challengeId?: string; context?: string; userAuthenticatorId?: string };
      const { challengeId, context: encoded, userAuthenticatorId: _own, ...found } = await this.send<Wire>({ method: 'GET', url, headers: { 'X-Authsignal-Signature': signature.signature } });
      if (challengeId === undefined) return undefined;
      if (!this.isVersion2) return { ...found, challengeId };
      const { context, contextHash } = contextIn(encoded ?? '', challengeId, pinned);
      this.#shown.set(challengeId, contextHash);
      return { ...found, challengeId, context };
    });
  }

  /**
   * Takes the challenge that was shown, signs the answer and sends it. `data` says whether it is approved. If a policy wants the number
   * on the screen, an approval without one is the error `code_required`: ask the person, and update again with `verificationCode`.
   */
  updateChallenge({ challengeId, approved, verificationCode }: UpdateChallengeInput): Promise<StepupResponse<boolean>> {
    return answered(async () => {
      const pinned = await this.needed();
      if (!UUID.test(challengeId)) throw new StepupError(0, 'invalid_request', 'this is no id of a challenge');
      if (this.isVersion2) await this.#take(pinned, challengeId, approved, verificationCode);
      const approval = await this.answer(pinned, challengeId, approved, verificationCode);
      this.#shown.delete(challengeId);
      return approval;
    });
  }

  async #take(pinned: Pinned, challenge: string, approved: boolean, code: string | null | undefined): Promise<void> {
    const shown = this.#shown.get(challenge);
    if (shown === undefined) throw new StepupError(0, 'not_shown', 'get the challenge, show its context, and answer then');
    if (!this.claimed(challenge)) await this.claim(pinned, challenge);
    const claimed = this.claimed(challenge);
    if (claimed?.contextHash !== shown) throw new StepupError(0, 'invalid_answer', 'the server wants other bytes signed than those that were shown');
    if (approved && claimed.needsCode && !code) throw new StepupError(0, 'code_required', 'the person must type the number that the screen shows');
  }

  /** Tells the server where messages to this phone go from now on. */
  updateCredential({ pushToken, resetExpiry }: UpdateCredentialInput): Promise<StepupResponse<AppCredential & { pushToken?: string }>> {
    return answered(async () => {
      const pinned = await this.needed();
      const { challengeId, signature } = await this.#signed(pinned, '/sign', /^stepup\/push\/update [0-9a-f-]{36} [\w-]{22}$/);
      const body = { challengeId, publicKey: pinned.publicKey, signature, ...(pushToken === undefined ? {} : { pushToken }), ...(resetExpiry === undefined ? {} : { resetExpiry }) };
      const updated = await this.send<Omit<AppCredential, 'credentialId'> & { pushToken?: string }>({ method: 'PATCH', url: this.options.baseUrl + this.path, body });
      return { ...updated, credentialId: updated.userAuthenticatorId };
    });
  }

  /** Signs what the server asks for. A phone that signed any text would approve anything, so the text must have its form. */
  async #signed(pinned: Pinned, rest: string, form: RegExp): Promise<{ challengeId?: string; signature: string }> {
    const { challengeId, message } = await this.send<{ challengeId?: string; message: string }>({ method: 'POST', url: this.named(rest, pinned) });
    if (typeof message !== 'string' || !form.test(message)) throw new StepupError(0, 'invalid_answer', 'the server wants a text signed that a phone does not sign');
    return { signature: await this.sign(pinned, message), ...(challengeId === undefined ? {} : { challengeId }) };
  }
}
