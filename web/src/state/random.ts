/** Random whole numbers below `limit`, also on insecure origins (where `crypto.randomUUID` is missing). */
export function randomBelow(limit: number): number {
  const [value = 0] = crypto.getRandomValues(new Uint32Array(1));
  return value % limit;
}

/** 96 random bits as text: enough that two users never meet by chance. */
export function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(3)), (part) => part.toString(36)).join('');
}
