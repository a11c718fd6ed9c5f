import { expect, expectPicture, expectSound, publish, test } from './fixtures/test';

for (const protocol of ['udp', 'tcp'] as const) {
  test(`media flows when the browser is given ${protocol} candidates only`, async ({ joinAs }) => {
    const ann = await joinAs('ann', 'room by direction', { protocol });
    const bob = await joinAs('bob', 'room by direction', { protocol });
    const video = await publish(ann, 'camera');
    const audio = await publish(ann, 'microphone');
    await expectPicture(bob, video);
    await expectSound(bob, audio);
    expect(await ann.evaluate(() => window.harness.protocols())).toEqual([protocol]);
    expect(await bob.evaluate(() => window.harness.protocols())).toEqual([protocol]);
  });
}

test('a publisher over TCP is seen over UDP', async ({ joinAs }) => {
  const ann = await joinAs('ann', 'room by direction', { protocol: 'tcp' });
  const bob = await joinAs('bob', 'call', { protocol: 'udp' });
  const video = await publish(ann, 'camera');
  await expectPicture(bob, video);
});
