/** A minimal typed event source: listeners are called in the order they were added. */
export class Emitter<Events extends Record<string, unknown>> {
  readonly #listeners = new Map<keyof Events, Set<(value: never) => void>>();

  /** Adds a listener; the returned function removes it. */
  on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }

  emit<Name extends keyof Events>(name: Name, value: Events[Name]): void {
    // A copy: a listener may remove itself or others while being called.
    for (const listener of Array.from(this.#listeners.get(name) ?? [])) {
      // `on` put it under this very name.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      (listener as (value: Events[Name]) => void)(value);
    }
  }
}
