import { expect, expectPicture, expectSound, openHarness, publish, reception, test } from './fixtures/test';

for (const codec of ['video/VP8', 'video/VP9', 'video/H264', 'video/AV1']) {
  test(`${codec} is forwarded and decoded`, async ({ joinAs, page, server }) => {
    await openHarness(page, server.url);
    const canEncode = await page.evaluate((mimeType) => window.harness.canEncode(mimeType), codec);
    test.skip(!canEncode, `this browser has no ${codec} encoder`);
    const ann = await joinAs('ann', 'room by direction');
    const bob = await joinAs('bob', 'room by direction');
    const producerId = await publish(ann, 'camera', codec);
    await expectPicture(bob, producerId);
    expect((await reception(bob, producerId)).mimeType.toLowerCase()).toBe(codec.toLowerCase());
  });
}

test('audio/opus is forwarded and heard', async ({ joinAs }) => {
  const ann = await joinAs('ann', 'room by direction');
  const bob = await joinAs('bob', 'room by direction');
  const producerId = await publish(ann, 'microphone');
  await expectSound(bob, producerId);
  expect((await reception(bob, producerId)).mimeType.toLowerCase()).toBe('audio/opus');
});
