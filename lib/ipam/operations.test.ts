import { layOutRequest, OPERATIONS } from "./operations.ts";

test("fields that the path names go there, encoded; the others into the body of a POST", () => {
  const request = { networkName: "a/b?c", address: "10.0.0.1", reason: undefined, stickyName: "db" };
  expect(layOutRequest(OPERATIONS.reserve, request)).toEqual({
    method: "POST",
    target: "/v1/networks/a%2Fb%3Fc/reservations",
    body: '{"address":"10.0.0.1","stickyName":"db"}',
  });
});

test("or into the query of anything else", () => {
  expect(layOutRequest(OPERATIONS.whoHad, { address: "fd00::1", at: "2026-01-31T12:00:00+02:00" })).toEqual({
    method: "GET",
    target: "/v1/addresses/fd00%3A%3A1/history?at=2026-01-31T12%3A00%3A00%2B02%3A00",
  });
  expect(layOutRequest(OPERATIONS.listEvents, { since: 0, limit: undefined }).target).toBe(
    "/v1/events?since=0",
  );
});

test("a POST without fields has an empty object as its body, a GET has none", () => {
  expect(layOutRequest(OPERATIONS.createNetwork).body).toBe("{}");
  expect(layOutRequest(OPERATIONS.info)).toEqual({ method: "GET", target: "/v1/info" });
});
