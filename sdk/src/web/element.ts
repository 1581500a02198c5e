// <stepup-challenge>: a challenge in one line of HTML. It draws the code, follows the phone, and tells the page by events.

import { qrSvg, Stepup, type ChallengeState, type NearQuestion, type StepupResponse, type Terminal } from './index.js';

/** What the element says; set `texts` to say it in another language. `{code}` is the number to type on the phone, `{name}` the masked name of whoever scanned. */
export interface Texts {
  scan: string;
  claimed: string;
  claimedBy: string;
  matchCode: string;
  approved: string;
  rejected: string;
  expired: string;
  failed: string;
  again: string;
  loading: string;
}

export const ENGLISH: Texts = {
  scan: 'Scan this code with your phone.',
  claimed: 'Now confirm on your phone.',
  claimedBy: '{name} scanned this code. Not you?',
  matchCode: 'Type this number on your phone: {code}',
  approved: 'Confirmed.',
  rejected: 'Declined on the phone.',
  expired: 'The code is no longer valid.',
  failed: 'That did not work.',
  again: 'Show a new code',
  loading: 'One moment …',
};

const STYLE = `
  :host { display: inline-block; inline-size: 16rem; max-inline-size: 100%; text-align: center; font: inherit }
  :host([hidden]) { display: none }
  .code { aspect-ratio: 1; background: #fff }
  .code svg { display: block; inline-size: 100%; block-size: 100% }
  .code[data-state=claimed] { opacity: .15 }
  .code[hidden], button[hidden] { display: none }
  p { margin-block: .75em; overflow-wrap: anywhere }
  p:empty { display: none }
  p[data-code] { font-size: 1.25em; font-weight: 600 }
  button { font: inherit; padding: .5em 1em; min-block-size: 2.75em }
`;

/**
 * Makes `<stepup-challenge>` known under this name, once. Importing `stepup-sdk/web/element` does it.
 *
 * Attributes: `base-url` (ends in `/v1`), `tenant-id`, and either `token` (the token of `track`, or its `url`) or `action`; with `rolling` the code is a signed
 * link that is another one every quarter of a minute, for phones with `stepup-sdk/mobile` and the server's phone page. A change of
 * one of them shows another challenge. Events, none of which bubbles: `approved` with `detail.token` for the backend, `rejected`,
 * `expired`, `claimed`, and `failed` with `detail.errorCode` and `detail.errorDescription`.
 */
export function defineStepupChallenge(name = 'stepup-challenge'): void {
  if (typeof customElements === 'undefined' || customElements.get(name)) return;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);

  class StepupChallenge extends HTMLElement {
    static readonly observedAttributes = ['base-url', 'tenant-id', 'token', 'action', 'rolling'];

    #texts: Texts = ENGLISH;
    #custom: Record<string, unknown> | undefined;
    #terminal: Terminal | undefined;
    #stepup: Stepup | undefined;
    #soon = false;
    readonly #code = document.createElement('div');
    readonly #status = document.createElement('div');
    readonly #said = document.createElement('p');
    readonly #claimer = document.createElement('p');
    readonly #again = document.createElement('button');

    constructor() {
      super();
      const root = this.attachShadow({ mode: 'open' });
      root.adoptedStyleSheets = [sheet];
      this.#code.className = 'code';
      this.#status.setAttribute('role', 'status');
      this.#status.append(this.#said, this.#claimer);
      this.#again.type = 'button';
      this.#again.addEventListener('click', () => this.#begin());
      root.append(this.#code, this.#status, this.#again);
      this.#say('loading');
    }

    /** Without a token: what the screen itself knows, for the person to see on the phone. */
    get custom(): Record<string, unknown> | undefined {
      return this.#custom;
    }

    set custom(custom: Record<string, unknown> | undefined) {
      this.#custom = custom;
      this.#restart();
    }

    /** A registered terminal that this screen is. */
    get terminal(): Terminal | undefined {
      return this.#terminal;
    }

    set terminal(terminal: Terminal | undefined) {
      this.#terminal = terminal;
      this.#restart();
    }

    /** Answers a phone that asks over the terminal's radio: see `near` of `QrCode`. */
    async near(question: NearQuestion): Promise<StepupResponse<string>> {
      const nothing = 'challenge_not_found';
      return (await this.#stepup?.qrCode.near(question)) ?? { error: nothing, errorCode: nothing, errorDescription: 'no challenge is on show' };
    }

    set texts(texts: Partial<Texts>) {
      this.#texts = { ...ENGLISH, ...texts };
      this.#again.textContent = this.#texts.again;
      this.#restart();
    }

    connectedCallback(): void {
      this.#restart();
    }

    disconnectedCallback(): void {
      this.#stepup?.qrCode.disconnect();
    }

    attributeChangedCallback(): void {
      this.#restart();
    }

    /** Begins once, however many attributes change at a time. */
    #restart(): void {
      if (this.#soon) return;
      this.#soon = true;
      queueMicrotask(() => {
        this.#soon = false;
        void this.#begin();
      });
    }

    async #begin(): Promise<void> {
      this.#stepup?.qrCode.disconnect();
      const [baseUrl, tenantId] = [this.getAttribute('base-url'), this.getAttribute('tenant-id')];
      if (!this.isConnected || !baseUrl || !tenantId) return;
      const stepup = new Stepup({ tenantId, baseUrl });
      this.#stepup = stepup;
      this.#say('loading');
      const token = this.getAttribute('token');
      const action = this.getAttribute('action');
      try {
        if (token) stepup.setToken(token);
      } catch {
        return this.#fail({ errorCode: 'invalid_token', errorDescription: 'the attribute `token` is not the token of `track`' });
      }
      const answer = await stepup.qrCode.challenge({
        ...(action ? { action } : {}),
        ...(this.#custom ? { custom: this.#custom } : {}),
        ...(this.#terminal ? { terminal: this.#terminal } : {}),
        ...(this.hasAttribute('rolling') ? { onQrCode: (text: string) => stepup === this.#stepup && this.#draw(text) } : { onRefresh: (challengeId: string) => this.#draw(challengeId) }),
        onMatchCode: (matchCode) => this.#say('matchCode', matchCode),
        onClaimedBy: ({ name }) => this.#name(name),
        onStateChange: (state, accessToken) => stepup === this.#stepup && this.#follow(state, accessToken),
      });
      if (stepup !== this.#stepup) return;
      if (answer.data) {
        if (!this.hasAttribute('rolling')) this.#draw(answer.data.challengeId);
      } else this.#fail(answer);
    }

    #draw(code: string): void {
      const svg = new DOMParser().parseFromString(qrSvg(code, { title: this.#texts.scan }), 'image/svg+xml').documentElement;
      this.#code.replaceChildren(document.importNode(svg, true));
      this.#say('scan');
    }

    #follow(state: ChallengeState, token?: string): void {
      if (state === 'unclaimed') return;
      const said = state === 'superseded' ? 'expired' : state;
      this.#say(said);
      this.dispatchEvent(new CustomEvent(said, { detail: token === undefined ? {} : { token } }));
    }

    #fail({ errorCode, errorDescription }: { errorCode?: string; errorDescription?: string }): void {
      this.#say('failed');
      this.dispatchEvent(new CustomEvent('failed', { detail: { errorCode, errorDescription } }));
    }

    /** Whoever stands here and did not scan sees that somebody was faster, and can have a code of their own. */
    #name(claimer: string): void {
      // A name with signs of the other direction in it turns no other text around.
      this.#claimer.textContent = this.#texts.claimedBy.replace('{name}', () => `\u2068${claimer}\u2069`);
      this.#again.hidden = false;
    }

    #say(what: Exclude<keyof Texts, 'again' | 'claimedBy'>, code = ''): void {
      const shows = ['scan', 'claimed', 'matchCode'].includes(what);
      this.#code.hidden = !shows;
      this.#code.dataset.state = what === 'scan' ? 'unclaimed' : 'claimed';
      if (what !== 'matchCode') this.#claimer.textContent = '';
      this.#again.hidden = !['rejected', 'expired', 'failed'].includes(what) && this.#claimer.textContent === '';
      this.#again.textContent = this.#texts.again;
      this.#said.toggleAttribute('data-code', what === 'matchCode');
      this.#said.textContent = this.#texts[what].replace('{code}', code);
    }
  }

  customElements.define(name, StepupChallenge);
}

defineStepupChallenge();
