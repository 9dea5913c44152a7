import { expect, test } from 'vitest';
import { isPersonal, jsonWithoutPersons } from '../../src/drivers/persons.js';

test.each([
  'name',
  'CardName',
  'Events[0].CardName',
  'IdentityCard',
  'cardNo',
  'CardNum',
  'pictureURL',
  'photo',
  'URL',
])('%s is about the person', (key) => expect(isPersonal(key)).toBe(true));

test.each([
  'employeeNoString',
  'UserID',
  'deviceName2',
  'PhotoLen',
  'label',
  'time',
  'RecNo',
  'CardType',
  'picturesNumber',
])('%s is about the punch', (key) => expect(isPersonal(key)).toBe(false));

test('leaves such keys out at every depth', () => {
  expect(
    jsonWithoutPersons({ id: '42', name: '张三', event: { cardNo: '7', minor: 75, list: [{ photo: 'x' }] } }),
  ).toBe('{"id":"42","event":{"minor":75,"list":[{}]}}');
});
