// The app itself asks for a challenge, and the person confirms in it.

import { answered, StepupError, type StepupResponse } from '../shared/http.js';
import { Credential, type Pinned } from './credential.js';
import { UUID } from './scanned.js';
import type { InAppVerifyInput, InAppVerifyResponse, StepupMobileOptions } from './types.js';

/** Nothing here throws: a refusal is in the answer. */
export class InApp extends Credential {
  constructor(options: StepupMobileOptions) {
    super('in-app', options);
  }

  /**
   * Proves that this phone's key is here: for the tracked action whose token was set, or for an `action` that the app names. With
   * `confirm` the person is asked first; a no is told to the server, and is the error `user_canceled`.
   */
  verify({ action, username, confirm }: InAppVerifyInput = {}): Promise<StepupResponse<InAppVerifyResponse>> {
    return answered(async () => {
      const pinned = await this.needed(username);
      if (action === undefined && this.token === undefined) throw new StepupError(0, 'token_not_set', 'name an action, or set the token of `track`');
      const authorization = action === undefined ? `Bearer ${this.token}` : undefined;
      const { challengeId: challenge } = await this.post<{ challengeId: string }>('/client/challenge', action === undefined ? {} : { action }, authorization);
      if (!UUID.test(challenge)) throw new StepupError(0, 'invalid_answer', 'the server answered no challenge');
      const how = { ...(authorization === undefined ? {} : { authorization }), ...(username === undefined ? {} : { username }) };
      const signed = await this.#signed(pinned, challenge, how, confirm);
      return this.post<InAppVerifyResponse>('/client/verify/in-app', signed, authorization);
    });
  }

  async #signed(pinned: Pinned, challenge: string, how: { authorization?: string; username?: string }, confirm: InAppVerifyInput['confirm']): Promise<object> {
    const { username } = how;
    if (!this.isVersion2) return { challengeId: challenge, publicKey: pinned.publicKey, signature: await this.sign(pinned, challenge, username) };
    const shown = await this.claim(pinned, challenge, how);
    if (confirm && !(await confirm(shown))) {
      await this.answer(pinned, challenge, false, null, username);
      throw new StepupError(0, 'user_canceled', 'the person said no');
    }
    return this.decision(pinned, challenge, true, '', username);
  }
}
