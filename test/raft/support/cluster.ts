import type { RaftOptions, StoredState } from '../../../raft/config.ts';
import type { Effects, Input } from '../../../raft/effects.ts';
import type { Configuration, Entry, Index, MembershipChange, Message, NodeId } from '../../../raft/types.ts';
import { configuration, data, node, OPTIONS } from './builders.ts';
import { Invariants } from './invariants.ts';
import { Member } from './member.ts';

export interface ClusterOptions {
  readonly members: readonly string[];
  readonly initial?: Configuration;
  readonly raft?: Partial<RaftOptions>;
  /** Uniform in [0, 1); without it every election timeout is the shortest one. */
  readonly random?: (member: string) => number;
  readonly observer?: ClusterObserver;
}

/** Sees what happens, in order. */
export interface ClusterObserver {
  stepped(member: Member, effects: Effects): void;
  /** At once, or when the write that it waited for is done. */
  sent(message: Message): void;
  applied(member: Member, entries: readonly Entry[]): void;
}

const MAX_ROUNDS = 10_000;

/**
 * Several cores with a network and disks that do nothing by themselves: a test says when time passes, a message
 * arrives and a write completes. `settle` lets everything run that needs no time. Safety is checked at every step.
 */
export class Cluster {
  readonly members = new Map<NodeId, Member>();
  readonly invariants = new Invariants();
  readonly #options: ClusterOptions;
  /** On their way, oldest first. */
  inFlight: Message[] = [];
  readonly #cutLinks = new Set<string>();
  #requests = 0;

  constructor(options: ClusterOptions) {
    this.#options = options;
    for (const name of options.members) this.join(name, options.initial ?? configuration({ voters: options.members }));
  }

  /** A node that knows nobody, as one that joins. */
  join(name: string, initial: Configuration = configuration({ voters: [] })): Member {
    const member = new Member({
      id: node(name),
      initial,
      raft: { ...OPTIONS, ...this.#options.raft },
      random: () => this.#options.random?.(name) ?? 0,
    });
    this.members.set(member.id, member);
    return member;
  }

  member(name: string): Member {
    const member = this.members.get(node(name));
    if (member === undefined) throw new Error(`no member ${name}`);
    return member;
  }

  begin(name: string, stored: Omit<StoredState, 'initial'>): void {
    this.member(name).begin({ ...stored, initial: configuration({ voters: this.#options.members }) });
  }

  get leader(): Member | null {
    const leaders = [...this.members.values()].filter(({ state, raft }) => state === 'up' && raft.role === 'leader');
    return leaders.toSorted((left, right) => right.raft.term - left.raft.term)[0] ?? null;
  }

  step(name: string, input: Input): Effects {
    const member = this.member(name);
    const effects = member.step(input);
    this.#options.observer?.stepped(member, effects);
    this.#send(effects.messages);
    this.invariants.check(member, effects);
    for (const { to } of effects.snapshots) this.#sendSnapshot(member, to);
    const isOnDisk = effects.persist.every((request) => request.snapshot === null);
    if (effects.restore !== null && isOnDisk && member.restores === 'prompt') this.restore(member.id);
    return effects;
  }

  tick(name: string, count = 1): void {
    for (let i = 0; i < count; i += 1) this.step(name, { kind: 'tick' });
  }

  /** Time passes everywhere, with everything else prompt. */
  run(ticks: number): void {
    for (let i = 0; i < ticks; i += 1) {
      for (const member of this.members.values()) if (member.state === 'up') this.tick(member.id);
      this.settle();
    }
  }

  /** Lets this one campaign while nobody else's time passes; the others forget that they hear a leader. */
  elect(name: string): void {
    const { roleChanges } = this.member(name);
    const before = roleChanges.length;
    for (const member of this.members.values()) if (member.state === 'up') this.step(member.id, { kind: 'stalled' });
    for (let i = 0; i < 100 && this.member(name).raft.role === 'follower'; i += 1) this.tick(name);
    this.settle();
    if (!roleChanges.slice(before).some(({ role }) => role === 'leader')) throw new Error(`${name} was not elected`);
  }

  propose(name: string, text: string): number {
    const id = this.nextRequest();
    this.step(name, { kind: 'propose', id, data: data(text) });
    return id;
  }

  read(name: string): number {
    const id = this.nextRequest();
    this.invariants.readAsked(this.member(name), id);
    this.step(name, { kind: 'read', id });
    return id;
  }

  change(name: string, change: MembershipChange): number {
    const id = this.nextRequest();
    this.step(name, { kind: 'changeMembership', id, change });
    return id;
  }

  nextRequest(): number {
    this.#requests += 1;
    return this.#requests;
  }

  /** Everything that is possible without the passing of time: writes, messages, applying. */
  settle(): void {
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      let moved = false;
      for (const member of this.members.values()) {
        if (member.state === 'down') continue;
        while (member.disk === 'prompt' && this.finishWrite(member.id)) moved = true;
        if (this.apply(member.id)) moved = true;
      }
      const message = this.inFlight.shift();
      if (message !== undefined) {
        this.deliver(message);
        moved = true;
      }
      if (!moved) return;
    }
    throw new Error('the cluster never comes to rest');
  }

  finishWrite(name: string): boolean {
    const member = this.member(name);
    const request = member.finishWrite();
    if (request === null) return false;
    this.#send(request.messages);
    this.step(name, { kind: 'persisted', seq: request.seq });
    if (request.snapshot !== null) this.#restoreIfPrompt(member, request.snapshot.index);
    return true;
  }

  /** Completes everything that is being written at once, as storage does that puts several writes into one batch. */
  finishWritesTogether(name: string): void {
    const member = this.member(name);
    const done = [...member.writes].map(() => member.finishWrite()).filter((request) => request !== null);
    for (const { messages } of done) this.#send(messages);
    const last = done.at(-1);
    if (last !== undefined) this.step(name, { kind: 'persisted', seq: last.seq });
    const { snapshot } = done.findLast((request) => request.snapshot !== null) ?? { snapshot: null };
    if (snapshot !== null) this.#restoreIfPrompt(member, snapshot.index);
  }

  /** Hands what was committed to the state machine. */
  apply(name: string): boolean {
    const member = this.member(name);
    if (member.unapplied.length === 0) return false;
    this.#options.observer?.applied(member, member.unapplied);
    for (const entry of member.unapplied) {
      member.machine.set(entry.index, entry);
      member.applied = entry.index;
    }
    member.unapplied = [];
    this.step(name, { kind: 'applied', index: member.applied });
    return true;
  }

  /** The bytes of a snapshot are what any member's state machine holds up to there: they are all the same. */
  restore(name: string): void {
    const member = this.member(name);
    const { restoring } = member;
    if (restoring === null) throw new Error('nothing is to be restored');
    member.machine = this.invariants.stateAt(restoring.index);
    member.applied = restoring.index;
    member.durableApplied = restoring.index;
    member.restoring = null;
    this.step(member.id, { kind: 'applied', index: restoring.index });
  }

  /** Lets one message arrive, unless its link is cut or its receiver is down. */
  deliver(message: Message): void {
    const arrives = this.reaches(message);
    if (arrives) this.step(message.to, { kind: 'message', message });
    if (message.kind === 'installSnapshot') this.#reportSnapshot(message.from, message.to, arrives);
  }

  reaches({ from, to }: Pick<Message, 'from' | 'to'>): boolean {
    return this.members.get(to)?.state === 'up' && !this.#cutLinks.has(`${from} ${to}`);
  }

  /** Loses a message that was taken out of the network; of a snapshot its sender hears. */
  drop(message: Message): void {
    if (message.kind === 'installSnapshot') this.#reportSnapshot(message.from, message.to, false);
  }

  /** Takes the messages that match out of the network. */
  intercept(matches: (message: Message) => boolean): Message[] {
    const taken = this.inFlight.filter(matches);
    this.inFlight = this.inFlight.filter((message) => !matches(message));
    return taken;
  }

  /** Nothing goes from one to the other any more, one way. */
  cut(from: string, to: string): void {
    this.#cutLinks.add(`${from} ${to}`);
  }

  /** Only members of the same group reach each other. */
  partition(...groups: readonly (readonly string[])[]): void {
    this.heal();
    for (const from of this.members.keys()) {
      for (const to of this.members.keys()) {
        if (from !== to && !groups.some((group) => group.includes(from) && group.includes(to))) this.cut(from, to);
      }
    }
  }

  isolate(name: string): void {
    const others = [...this.members.keys()].filter((id) => id !== name);
    this.partition([name], others);
  }

  heal(): void {
    this.#cutLinks.clear();
  }

  crash(name: string, keptWrites = 0): void {
    this.member(name).crash(keptWrites);
    this.invariants.forget(this.member(name));
  }

  restart(name: string): void {
    this.member(name).restart();
    this.invariants.forget(this.member(name));
  }

  /** Another machine takes the place of this one, under its id. */
  loseDisk(name: string): void {
    this.member(name).loseDisk();
    this.invariants.forget(this.member(name));
  }

  /** What a member's state machine holds, as text; entries of consensus itself left out. */
  appliedBy(name: string): string[] {
    const { machine } = this.member(name);
    return [...machine.values()].filter((entry) => entry.kind === 'data').map(textOf);
  }

  roles(): Record<string, string> {
    return Object.fromEntries(Array.from(this.members, ([id, { raft }]) => [id, raft.role]));
  }

  commits(): Record<string, Index> {
    return Object.fromEntries(Array.from(this.members, ([id, { raft }]) => [id, raft.commitIndex]));
  }

  #send(messages: readonly Message[]): void {
    this.inFlight.push(...messages);
    for (const message of messages) this.#options.observer?.sent(message);
  }

  #sendSnapshot(from: Member, to: NodeId): void {
    const snapshot = from.raft.snapshotMeta(from.applied);
    this.#send([{ kind: 'installSnapshot', from: from.id, to, term: from.raft.term, snapshot }]);
  }

  #reportSnapshot(from: NodeId, peer: NodeId, arrived: boolean): void {
    if (this.member(from).state === 'down') return;
    this.step(from, { kind: 'snapshotResult', peer, result: arrived ? 'delivered' : 'failed' });
  }

  #restoreIfPrompt(member: Member, index: Index): void {
    if (member.restoring?.index === index && member.restores === 'prompt') this.restore(member.id);
  }
}

function textOf(entry: Entry): string {
  return entry.kind === 'data' ? new TextDecoder().decode(entry.data) : entry.kind;
}
