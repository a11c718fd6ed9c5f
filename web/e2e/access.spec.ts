import { execFileSync } from 'node:child_process';
import { BINARY } from './fixtures/server';
import { RawClient } from './fixtures/socket';
import { expect, test, type Page } from './fixtures/test';

const JWT_SECRET = 'a secret of these tests that is long enough';

/** As the command makes it that users have. */
function token(room: string, name: string, ...options: string[]): string {
  const words = ['token', '--room', room, '--name', name, ...options];
  return execFileSync(BINARY, words, { env: { JWT_SECRET }, encoding: 'utf8' }).trim();
}

async function join(page: Page, link: string, name: string): Promise<void> {
  await page.goto(link);
  await page.getByLabel('Your name').fill(name);
  await page.getByRole('button', { name: 'Join call' }).click();
}

for (const transport of ['websocket', 'polling'] as const) {
  test(`a client without a good token is told why, by ${transport}`, async ({ startServer, roomId }) => {
    const { url } = await startServer({ JWT_SECRET });
    await expect(RawClient.connect(url, transport)).rejects.toThrow('token: a token is required');
    await expect(RawClient.connect(url, transport, 'nonsense')).rejects.toThrow('token: not a JSON Web Token');
    const client = await RawClient.connect(url, transport, token(roomId, 'Ann'));
    expect(await client.fields('joinRoom', { roomId })).toMatchObject({ participants: [] });
    expect(await client.fields('joinRoom', { roomId: 'another' })).toEqual({
      error: 'roomId: this token is not for that room',
    });
    client.close();
  });
}

test('the web client takes its token from the link, and says when it is not let in', async ({
  page,
  startServer,
  roomId,
}) => {
  const { url } = await startServer({ JWT_SECRET });
  await join(page, `${url}/?room=${roomId}`, 'Ann');
  await expect(page.getByText('The server did not let you in: token: a token is required')).toBeVisible();
  const link = `${url}/?room=${roomId}#token=${token(roomId, 'Ann Fields')}`;
  await page.goto('about:blank');
  await join(page, link, 'Somebody Else');
  await expect(page.locator('main[data-phase=joined]')).toBeVisible();
  const bob = await RawClient.connect(url, 'websocket', token(roomId, 'Bob'));
  const { participants } = await bob.fields('joinRoom', { roomId });
  expect(participants, 'the name of the token').toMatchObject([{ userName: 'Ann Fields' }]);
  bob.close();
});

test('an administrator mutes somebody, takes their camera away, and sends them off', async ({
  page,
  startServer,
  roomId,
}) => {
  const { url } = await startServer({ JWT_SECRET });
  await join(page, `${url}/?room=${roomId}#token=${token(roomId, 'Ann', '--user', 'ann')}`, 'Ann');
  await expect(page.getByRole('button', { name: 'Mute microphone' })).toBeVisible();
  const admin = await RawClient.connect(url, 'websocket', token(roomId, 'Admin', '--admin'));
  await admin.fields('joinRoom', { roomId });
  const producers = async (): Promise<{ producerId: string; kind: string }[]> => {
    const answer = await admin.fields('getProducers', { roomId });
    // The server is ours, and tested against this.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return answer['producers'] as { producerId: string; kind: string }[];
  };
  await expect.poll(async () => (await producers()).length).toBe(2);
  const microphone = (await producers()).find(({ kind }) => kind === 'audio');

  await admin.ask('muteProducer', { producerId: microphone?.producerId });
  await expect(page.getByRole('button', { name: 'Unmute microphone' })).toBeVisible();
  await expect(page.getByText('An administrator has turned off your microphone.')).toBeVisible();
  await page.keyboard.press('m');
  await expect.poll(() => admin.received('producerResumed').length, 'they may unmute').toBe(1);

  await admin.ask('updateGrants', { userId: 'ann', grants: { canPublish: ['microphone'] } });
  await expect(page.getByRole('button', { name: 'Turn camera on' })).toBeVisible();
  await expect.poll(async () => (await producers()).map(({ kind }) => kind)).toEqual(['audio']);

  await admin.ask('removeParticipant', { userId: 'ann' });
  await expect(page.getByText('An administrator has removed you from this room.')).toBeVisible();
  await expect.poll(() => admin.received('userLeft').length).toBe(1);
  admin.close();
});
