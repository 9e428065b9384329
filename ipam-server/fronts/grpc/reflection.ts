/**
 * Server reflection out of the file descriptors embedded at build time, so that `grpcurl` and its like need no
 * copy of the protocol. Serves `grpc.reflection.v1`, and the same messages as `v1alpha` for older clients.
 *
 * Source: GRFC A15 / grpc/doc/server-reflection.md.
 */

import {
  createFileRegistry,
  type DescFile,
  type FileRegistry,
  fromBinary,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import {
  type ServiceDefinition,
  status as StatusCode,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { FILE_DESCRIPTOR_SET } from "../../../lib/rpc/generated/descriptors.ts";
import {
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  type ServerReflectionServer,
  ServerReflectionService,
} from "../../../lib/rpc/generated/grpc/reflection/v1/reflection.ts";

type Answer = Exclude<ServerReflectionResponse["messageResponse"], undefined>;

/** The definition of the service under the name that it had before it was stable. */
export const ServerReflectionV1AlphaService: ServiceDefinition<UntypedServiceImplementation> = {
  serverReflectionInfo: {
    ...ServerReflectionService.serverReflectionInfo,
    path: "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
  },
};

/** `services`: full names of what the server has. */
export function reflectionHandlers(services: readonly string[]): ServerReflectionServer {
  const set = fromBinary(FileDescriptorSetSchema, Buffer.from(FILE_DESCRIPTOR_SET, "base64"));
  const registry = createFileRegistry(set);
  return {
    serverReflectionInfo: (call) => {
      call.on("data", (request: ServerReflectionRequest) => {
        const messageResponse = answer(request, registry, services);
        call.write({ validHost: request.host, originalRequest: request, messageResponse });
      });
      call.on("end", () => call.end());
    },
  };
}

function answer(
  request: ServerReflectionRequest,
  registry: FileRegistry,
  services: readonly string[],
): Answer {
  const wish = request.messageRequest;
  switch (wish?.$case) {
    case "listServices":
      return {
        $case: "listServicesResponse",
        value: { service: services.map((name) => ({ name })) },
      };
    case "fileByFilename":
      return files(registry.getFile(wish.value), wish.value);
    case "fileContainingSymbol":
      return files(fileOfSymbol(registry, wish.value), wish.value);
    case "allExtensionNumbersOfType":
      return {
        $case: "allExtensionNumbersResponse",
        value: { baseTypeName: wish.value, extensionNumber: [] },
      };
    case "fileContainingExtension":
      return notFound(`${wish.value.containingType}: no extensions`);
    default:
      return {
        $case: "errorResponse",
        value: { errorCode: StatusCode.INVALID_ARGUMENT, errorMessage: "the request asks for nothing" },
      };
  }
}

/** The file that declares a message, an enum, a service, or a part of one (a method, a field). */
function fileOfSymbol(registry: FileRegistry, symbol: string): DescFile | undefined {
  const declared =
    registry.get(symbol) ?? registry.get(symbol.slice(0, Math.max(0, symbol.lastIndexOf("."))));
  return declared?.file;
}

/** A file and everything that it imports, each once: what a client needs to understand it. */
function files(file: DescFile | undefined, wished: string): Answer {
  if (!file) return notFound(wished);
  const all = new Map<string, DescFile>();
  const visit = (next: DescFile): void => {
    if (all.has(next.name)) return;
    all.set(next.name, next);
    next.dependencies.forEach(visit);
  };
  visit(file);
  const fileDescriptorProto = [...all.values()].map(({ proto }) =>
    Buffer.from(toBinary(FileDescriptorProtoSchema, proto)),
  );
  return { $case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function notFound(what: string): Answer {
  return {
    $case: "errorResponse",
    value: { errorCode: StatusCode.NOT_FOUND, errorMessage: `${what} is not known here` },
  };
}
