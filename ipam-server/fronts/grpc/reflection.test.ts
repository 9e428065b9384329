import { Client, credentials, loadPackageDefinition, status as StatusCode } from "@grpc/grpc-js";
import * as protoLoader from "@grpc/proto-loader";
import {
  ServerReflectionClient,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
} from "../../../lib/rpc/generated/grpc/reflection/v1/reflection.ts";
import { useGrpcFront } from "../../../test/support/ipam/grpc-fronts.ts";

const s = useGrpcFront();
const plain = credentials.createInsecure();

type Wish = NonNullable<ServerReflectionRequest["messageRequest"]>;

function reflect(client: ServerReflectionClient, messageRequest: Wish): Promise<ServerReflectionResponse> {
  return new Promise((resolve, reject) => {
    const call = client.serverReflectionInfo();
    call.on("data", resolve).on("error", reject);
    call.write({ host: "h", messageRequest });
    call.end();
  });
}

describe("reflection", () => {
  let target: string;
  let client: ServerReflectionClient;
  beforeEach(async () => {
    target = await s.open();
    client = s.closing(new ServerReflectionClient(target, plain));
  });

  test("lists the services", async () => {
    const { messageResponse, originalRequest } = await reflect(client, { $case: "listServices", value: "*" });
    expect(originalRequest?.messageRequest).toEqual({ $case: "listServices", value: "*" });
    if (messageResponse?.$case !== "listServicesResponse") throw new Error("no list");
    expect(messageResponse.value.service.map(({ name }) => name)).toContain("fairlead.v1.IpamService");
  });

  test.each([
    ["fileContainingSymbol", "fairlead.v1.IpamService"],
    ["fileContainingSymbol", "fairlead.v1.IpamService.Acquire"],
    ["fileContainingSymbol", "fairlead.v1.LeaseState"],
    ["fileContainingSymbol", "fairlead.v1.VerifyRequest.Expected"],
    ["fileByFilename", "fairlead/v1/ipam.proto"],
  ] as const)("%s %s hands out a file that a client can use, with all it needs", async ($case, value) => {
    const { messageResponse } = await reflect(client, { $case, value });
    if (messageResponse?.$case !== "fileDescriptorResponse") throw new Error("no file");
    const files = messageResponse.value.fileDescriptorProto;
    expect(files).toHaveLength(3);
    // An independent reader makes a working client of it.
    const loaded = protoLoader.loadFileDescriptorSetFromBuffer(asDescriptorSet(files));
    const Service = (loadPackageDefinition(loaded) as never as Loaded).fairlead.v1.IpamService;
    const stub = s.closing(new Service(target, plain));
    const info = await new Promise<{ version: string }>((resolve, reject) => {
      stub.GetInfo({}, (error, answer) => (error ? reject(error) : resolve(answer)));
    });
    expect(info.version).toBe("1.2.3");
  });

  test.each([
    ["fileContainingSymbol", "fairlead.v2.Nope"],
    ["fileContainingSymbol", ""],
    ["fileByFilename", "../../etc/passwd"],
  ] as const)("%s %j is not found", async ($case, value) => {
    const { messageResponse } = await reflect(client, { $case, value });
    expect(messageResponse).toMatchObject({
      $case: "errorResponse",
      value: { errorCode: StatusCode.NOT_FOUND },
    });
  });

  test("knows no extensions, of which the protocol has none", async () => {
    const type = "fairlead.v1.Lease";
    const numbers = await reflect(client, { $case: "allExtensionNumbersOfType", value: type });
    expect(numbers.messageResponse).toEqual({
      $case: "allExtensionNumbersResponse",
      value: { baseTypeName: type, extensionNumber: [] },
    });
    const value = { containingType: type, extensionNumber: 100 };
    const file = await reflect(client, { $case: "fileContainingExtension", value });
    expect(file.messageResponse).toMatchObject({
      $case: "errorResponse",
      value: { errorCode: StatusCode.NOT_FOUND },
    });
  });

  test("answers a request for nothing, and the next on the same call", async () => {
    const call = client.serverReflectionInfo();
    const answers: ServerReflectionResponse[] = [];
    const ended = new Promise((resolve, reject) => {
      call.on("data", (answer) => answers.push(answer));
      call.on("error", reject).on("end", resolve);
    });
    call.write({ host: "h", messageRequest: undefined });
    call.write({ host: "h", messageRequest: { $case: "listServices", value: "*" } });
    call.end();
    await ended;
    expect(answers.map(({ messageResponse }) => messageResponse)).toMatchObject([
      { $case: "errorResponse", value: { errorCode: StatusCode.INVALID_ARGUMENT } },
      { $case: "listServicesResponse" },
    ]);
  });

  test("the name from before it was stable is served too", async () => {
    const raw = s.closing(new Client(target, plain));
    const path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
    const answer = await new Promise<Buffer>((resolve, reject) => {
      const call = raw.makeBidiStreamRequest(
        path,
        (value: Buffer) => value,
        (value: Buffer) => value,
      );
      call.on("data", resolve).on("error", reject);
      // ServerReflectionRequest{list_services: "*"}
      call.write(Buffer.from([0x3a, 0x01, 0x2a]));
      call.end();
    });
    expect(answer.toString("latin1")).toContain("fairlead.v1.IpamService");
  });
});

interface Loaded {
  readonly fairlead: {
    readonly v1: {
      readonly IpamService: new (
        address: string,
        creds: unknown,
      ) => {
        close(): void;
        GetInfo(request: object, callback: (error: Error | null, answer: { version: string }) => void): void;
      };
    };
  };
}

/** google.protobuf.FileDescriptorSet: field 1, repeated, length-delimited. */
function asDescriptorSet(files: readonly Buffer[]): Buffer {
  return Buffer.concat(files.flatMap((file) => [Buffer.from([0x0a]), varint(file.length), file]));
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 0x7f) | 0x80);
  }
}
