/** The answer: the likeliest digit in large, and the probabilities of all ten as bars. */

/** Never 100 %: a network is not that sure. */
const percent = (share: number): string =>
  `${(Math.min(share, 0.999) * 100).toFixed(share > 0.0995 && share < 0.985 ? 0 : 1)} %`;

export class Answer {
  readonly #text = document.getElementById('prediction')!;
  readonly #bars: HTMLElement[];
  #spoken = '';

  constructor() {
    const list = document.getElementById('bars')!;
    this.#bars = Array.from({ length: 10 }, (_, digit) => {
      const item = document.createElement('li');
      item.innerHTML = `<span class="bar" aria-hidden="true"></span><span aria-hidden="true">${digit}</span><span class="hidden"></span>`;
      return item;
    });
    list.replaceChildren(...this.#bars);
    this.clear();
  }

  /** @param isTrained - whether the answer means anything yet */
  show(probabilities: Float32Array, isTrained: boolean): void {
    const best = probabilities.indexOf(Math.max(...probabilities));
    this.#bars.forEach((bar, digit) => {
      const share = probabilities[digit]!;
      bar.style.setProperty('--share', share.toFixed(4));
      bar.classList.toggle('best', digit === best);
      bar.lastElementChild!.textContent = `${digit}: ${percent(share)}`;
    });
    const sure = isTrained ? `${percent(probabilities[best]!)} sure` : 'untrained: a guess';
    // The live region is written when the digit changes, and its small print in between: else it would never be silent.
    if (this.#spoken !== `${best}${isTrained}`) {
      this.#spoken = `${best}${isTrained}`;
      this.#text.innerHTML = '<strong></strong><span aria-hidden="true"></span>';
      this.#text.firstElementChild!.textContent = String(best);
    }
    this.#text.lastElementChild!.textContent = sure;
  }

  clear(): void {
    this.#spoken = '';
    this.#text.innerHTML = '<strong aria-hidden="true">?</strong><span>draw a digit</span>';
    for (const bar of this.#bars) {
      bar.style.setProperty('--share', '0');
      bar.classList.remove('best');
      bar.lastElementChild!.textContent = '';
    }
  }
}
