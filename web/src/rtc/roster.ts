import { sourceOf, type MediaSource, type WireParticipant, type WireProducer } from './protocol';

export interface RemoteProducer {
  producerId: string;
  userId: string;
  source: MediaSource;
  paused: boolean;
}

export interface RosterEntry {
  userId: string;
  userName: string;
  producers: readonly RemoteProducer[];
}

interface Person {
  userId: string;
  userName: string;
  socketId: string | undefined;
  /** False for somebody known by a producer only: gone with the last of them. */
  joined: boolean;
}

/**
 * Who is in the room and what they publish, from the join answer and the events around it. Pure.
 *
 * Events may overtake the join answer, which describes an earlier moment: whatever was reported closed or left before
 * {@link Roster.seed} stays gone, though the answer still lists it.
 */
export class Roster {
  readonly #ownUserId: string;
  readonly #people = new Map<string, Person>();
  readonly #producers = new Map<string, RemoteProducer>();
  #gone: Set<string> | undefined = new Set();

  constructor(ownUserId: string) {
    this.#ownUserId = ownUserId;
  }

  seed(participants: readonly WireParticipant[], producers: readonly WireProducer[]): void {
    const gone = this.#gone ?? new Set();
    this.#gone = undefined;
    for (const participant of participants.filter(({ socketId }) => !gone.has(socketId))) {
      this.userJoined(participant);
    }
    for (const producer of producers.filter(({ producerId }) => !gone.has(producerId))) {
      this.producerAdded(producer);
    }
  }

  userJoined({ userId, userName, socketId }: WireParticipant): void {
    // Our own former connection may linger on the server until it notices that it is dead.
    if (userId === this.#ownUserId) {
      return;
    }
    this.#people.set(userId, { userId, userName: userName ?? userId, socketId, joined: true });
  }

  userLeft({ userId, socketId }: { userId: string; socketId?: string }): void {
    if (socketId !== undefined) {
      this.#gone?.add(socketId);
    }
    const person = this.#people.get(userId);
    // Somebody who came back with a new socket is still here when the old one is noticed to be dead.
    if (person?.socketId !== undefined && socketId !== undefined && person.socketId !== socketId) {
      return;
    }
    this.#people.delete(userId);
    for (const producer of this.#producersOf(userId)) {
      this.#producers.delete(producer.producerId);
    }
  }

  producerAdded(producer: WireProducer): void {
    const { producerId, userId } = producer;
    if (userId === this.#ownUserId || this.#producers.has(producerId)) {
      return;
    }
    if (!this.#people.has(userId)) {
      this.#people.set(userId, { userId, userName: userId, socketId: producer.socketId, joined: false });
    }
    this.#producers.set(producerId, { producerId, userId, source: sourceOf(producer), paused: false });
  }

  producerClosed(producerId: string): void {
    this.#gone?.add(producerId);
    const producer = this.#producers.get(producerId);
    this.#producers.delete(producerId);
    const person = producer && this.#people.get(producer.userId);
    if (person?.joined === false && this.#producersOf(person.userId).length === 0) {
      this.#people.delete(person.userId);
    }
  }

  producerPaused(producerId: string, paused: boolean): void {
    const producer = this.#producers.get(producerId);
    if (producer) {
      this.#producers.set(producerId, { ...producer, paused });
    }
  }

  /** In the order of arrival. */
  get entries(): RosterEntry[] {
    return Array.from(this.#people.values(), ({ userId, userName }) => ({
      userId,
      userName,
      producers: this.#producersOf(userId),
    }));
  }

  get producerIds(): string[] {
    return Array.from(this.#producers.keys());
  }

  #producersOf(userId: string): RemoteProducer[] {
    return Array.from(this.#producers.values()).filter((producer) => producer.userId === userId);
  }
}
