/*
 * What the executable begins with. Under the name of a plugin it reads the request and hands it to a resident worker, which
 * takes a twentieth of the time that the runtime takes to start; it answers VERSION by itself. Whatever is not as expected,
 * and everything under any other name, is left to the runtime, which finds the process as the kernel made it.
 *
 * There is no C library here, no memory that is written to but the stack and what is mapped, and no state.
 */
#include "constants.h"
#include "conversation.h"
#include "failure.h"
#include "input.h"
#include "json.h"
#include "kernel.h"
#include "runtime.h"
#include "text.h"

__asm__(START);

/* One invocation of a plugin. */
struct invocation {
  struct text plugin;
  /* Values of CNI_VARIABLES, in their order; `bytes` is null for those that are not set. */
  struct text variables[CNI_VARIABLE_COUNT];
  struct input input;
  struct config config;
  unsigned char input_room[LONGEST_REQUEST_BYTES];
  unsigned char request_room[LONGEST_REQUEST_BYTES];
  unsigned char path_room[LONGEST_REQUEST_BYTES];
  unsigned char answer_room[1 + LONGEST_ANSWER_BYTES];
};

static struct text name_in_path(const char *path) {
  struct text name = text_of(path);
  for (const char *at = path; *at != 0; at += 1) {
    if (*at == '/') name = text_of(at + 1);
  }
  return name;
}

/* The value when `entry` of the environment is the variable `name`, else null. */
static const char *value_of(const char *entry, struct text name) {
  for (unsigned long i = 0; i < name.length; i += 1) {
    if ((unsigned char)entry[i] != name.bytes[i]) return NULL;
  }
  return entry[name.length] == '=' ? entry + name.length + 1 : NULL;
}

/* False when there is anything about one that does not stand in JSON as it is, or when one is there twice. */
static bool read_variable(char **environment, struct text name, struct text *variable) {
  for (; *environment != NULL; environment += 1) {
    const char *value = value_of(*environment, name);
    if (value == NULL) continue;
    if (variable->bytes != NULL) return false;
    *variable = text_of(value);
  }
  return is_plain(*variable);
}

static bool read_variables(char **environment, struct text *variables) {
  const char *names = CNI_VARIABLES;
  for (int i = 0; i < CNI_VARIABLE_COUNT; i += 1) {
    struct text name = text_of(names);
    if (!read_variable(environment, name, &variables[i])) return false;
    names += name.length + 1;
  }
  return true;
}

static struct text text_in(struct buffer *buffer) { return (struct text){buffer->bytes, buffer->length}; }

static struct buffer buffer_in(unsigned char *room) {
  return (struct buffer){room, 0, LONGEST_REQUEST_BYTES, false};
}

/*
 * The version that the configuration names, whatever it is, or the newest one. Does nothing when it is not plain to see: the
 * runtime then answers.
 */
static void answer_version(struct invocation *run) {
  struct text version = run->config.cni_version;
  struct buffer answer = buffer_in(run->request_room);
  add(&answer, TEXT("{\"cniVersion\":"));
  add_json_string(&answer, version.length > 0 ? version : TEXT(NEWEST_CNI_VERSION));
  add(&answer, TEXT(",\"supportedVersions\":" SUPPORTED_CNI_VERSIONS "}"));
  if (answer.is_full) return;
  exit_process(write_all(STDOUT, text_in(&answer)) ? 0 : 1);
}

/* The worker's socket is beside that of the IPAM service. Every worker gives the same answer to a configuration. */
static struct text socket_path_for(struct invocation *run) {
  struct text socket = run->config.ipam_socket;
  struct buffer path = buffer_in(run->path_room);
  bool is_absolute = socket.length > 0 && socket.bytes[0] == '/';
  if (is_absolute) {
    while (socket.bytes[socket.length - 1] != '/') socket.length -= 1;
    socket.length -= 1;
  }
  add(&path, is_absolute ? socket : TEXT(DEFAULT_WORKER_DIRECTORY));
  add(&path, TEXT("/" WORKER_SOCKET_NAME));
  return text_in(&path);
}

/* Longest wait once a worker has begun, in milliseconds. */
static long limit_ms_for(const struct config *config) {
  long seconds = config->ipam_timeout_seconds;
  bool is_sane = seconds > 0 && seconds <= LONGEST_IPAM_LIMIT_SECONDS;
  return (is_sane ? seconds : DEFAULT_IPAM_LIMIT_SECONDS) * 1000 + OTHER_LIMITS_MS;
}

static void add_header(struct buffer *request, const struct invocation *run) {
  const char *names = CNI_VARIABLES;
  bool is_first = true;
  add(request, TEXT("{\"build\":\"" BUILD "\",\"plugin\":"));
  add_json_string(request, run->plugin);
  add(request, TEXT(",\"env\":{"));
  for (int i = 0; i < CNI_VARIABLE_COUNT; i += 1) {
    struct text name = text_of(names);
    names += name.length + 1;
    if (run->variables[i].bytes == NULL) continue;
    if (!is_first) add_byte(request, ',');
    is_first = false;
    add_json_string(request, name);
    add_byte(request, ':');
    add_json_string(request, run->variables[i]);
  }
  add(request, TEXT("}}"));
}

static void write_u32(unsigned char *bytes, unsigned long value) {
  for (int i = 0; i < 4; i += 1) bytes[i] = (unsigned char)(value >> 8 * i);
}

/* `u32 magic | u32 header bytes | u32 stdin bytes | header | stdin`, see lib/resident/frames.ts. */
static struct buffer encode_request(struct invocation *run) {
  struct buffer request = buffer_in(run->request_room);
  request.length = REQUEST_PREFIX_BYTES;
  add_header(&request, run);
  write_u32(request.bytes, REQUEST_MAGIC);
  write_u32(request.bytes + 4, request.length - REQUEST_PREFIX_BYTES);
  write_u32(request.bytes + 8, run->input.text.length);
  add(&request, run->input.text);
  return request;
}

static struct text verb_of(const struct invocation *run) { return run->variables[CNI_COMMAND_INDEX]; }

/* What the configuration names when we know it, else the newest; the text is a constant. */
static struct text known_version(struct text version) {
  const char *known = KNOWN_CNI_VERSIONS;
  for (struct text entry = text_of(known); entry.length > 0; entry = text_of(known)) {
    if (is_same(entry, version)) return entry;
    known += entry.length + 1;
  }
  return TEXT(NEWEST_CNI_VERSION);
}

/* A worker began and will not answer: what it did is not known. Every other verb may be done twice. */
static void report_loss(struct invocation *run, bool is_timeout, struct text socket_path) {
  struct buffer answer = buffer_in(run->request_room);
  add(&answer, TEXT("{\"cniVersion\":"));
  add_json_string(&answer, known_version(run->config.cni_version));
  add(&answer, TEXT(",\"code\":" CODE_TRY_AGAIN_LATER ",\"msg\":\"have a resident worker run "));
  add(&answer, run->plugin);
  add_byte(&answer, ' ');
  add_json_text(&answer, verb_of(run));
  add(&answer, is_timeout ? TEXT(": it began, and did not end in time") : TEXT(": it ended before it answered"));
  add(&answer, TEXT("\",\"details\":"));
  add(&answer, TEXT("\"try again; DEL removes what is there; the worker listened on "));
  add(&answer, socket_path);
  add(&answer, TEXT("\"}"));
  write_all(STDOUT, text_in(&answer));
  exit_process(1);
}

/*
 * A log that nobody reads must not fail an ADD. One that cannot tell its result has failed, and a failed ADD leaves nothing: the
 * worker, which knows what it made, takes that back.
 */
static void finish(struct invocation *run, const struct conversation *conversation) {
  bool is_attached = conversation->exit_status == 0 && is_same(verb_of(run), TEXT("ADD"));
  ignore_sigpipe();
  if (conversation->log.length > 0) write_some(STDERR, conversation->log.bytes, conversation->log.length);
  if (write_all(STDOUT, conversation->output)) {
    if (is_attached) confirm_receipt(conversation);
    exit_process(conversation->exit_status);
  }
  write_all(STDERR, run->plugin);
  write_all(STDERR, TEXT(": write stdout: nobody takes the result\n"));
  if (is_attached) refuse_result(conversation);
  exit_process(1);
}

/* Comes back when the plugin is to be run here. */
static void hand_over(struct invocation *run) {
  struct buffer request = encode_request(run);
  if (request.is_full) return;
  struct conversation conversation = {
      .socket_path = socket_path_for(run),
      .request = text_in(&request),
      .start_limit_ms = START_LIMIT_MS,
      .limit_ms = limit_ms_for(&run->config),
      .room = run->answer_room,
  };
  enum outcome outcome = converse(&conversation);
  if (outcome == ANSWERED) finish(run, &conversation);
  /* A worker that is gone does nothing any more, and every verb but ADD may be done twice. */
  if (outcome == TIMED_OUT || (outcome == LOST && is_same(verb_of(run), TEXT("ADD")))) {
    report_loss(run, outcome == TIMED_OUT, conversation.socket_path);
  }
}

/* Comes back when the plugin is to be run here; stdin is then as it was. */
static void run_plugin(struct invocation *run, struct caller *caller) {
  run->input.room = run->input_room;
  run->input.size = sizeof run->input_room;
  read_input(&run->input);
  bool is_version = is_same(verb_of(run), TEXT("VERSION"));
  if (run->input.is_whole) {
    bool is_plain_to_see = read_config(run->input.text, &run->config);
    caller->cni_version = known_version(run->config.cni_version);
    bool is_empty = run->input.text.length == 0;
    if (is_version && (is_empty || (is_plain_to_see && run->config.is_ascii))) answer_version(run);
    if (!is_version && is_plain_to_see) hand_over(run);
  }
  if (put_back(&run->input)) return;
  fail(caller, &(struct failure){
                   .code = TEXT(CODE_IO_FAILURE),
                   .operation = TEXT("keep stdin for the runtime"),
                   .reason = TEXT("no memory, or no more descriptors"),
                   .hint = TEXT("try again"),
               });
}

/* Called by `_start`, with the address of argc, argv, envp and auxv. */
__attribute__((noreturn, used)) void front(unsigned long *stack) {
  char **arguments = (char **)(stack + 1);
  char **environment = arguments + stack[0] + 1;
  struct text name = stack[0] > 0 ? name_in_path(arguments[0]) : TEXT("");
  bool is_plugin = is_listed(name, PLUGIN_NAMES);
  struct caller caller = {is_plugin ? name : TEXT(""), TEXT(NEWEST_CNI_VERSION)};
  struct invocation *run = is_plugin ? map_memory(sizeof *run) : NULL;
  if (run != NULL) {
    run->plugin = name;
    /* Without a verb there is nothing to hand over: somebody started it by hand. */
    if (read_variables(environment, run->variables) && verb_of(run).length > 0) run_plugin(run, &caller);
    unmap(run, sizeof *run);
  }
  enter_runtime(stack, &caller);
}
