/* A PKCS#11 module over SoftHSM's, for what SoftHSM never does: it lets the tests say how many tries are
   left, pulls the token out or loses the session after so many signatures, gives keys out, asks for the PIN each time,
   and writes down each login. Function numbers are those of CK_FUNCTION_LIST (PKCS#11 v2.40, section 3.6),
   of which nothing else is needed here. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long rv;
typedef unsigned long ulong;
typedef struct { unsigned char version[2]; void *f[68]; } list;
typedef struct { unsigned char text[96]; ulong flags; } token_info; /* label, manufacturer, model, serial */
typedef struct { ulong type; void *value; ulong length; } attribute;

enum { GET_TOKEN_INFO = 6, OPEN_SESSION = 12, LOGIN = 18, GET_ATTRIBUTE = 24, SIGN = 43, WRAP = 60 };

static list ours;
static list *theirs;
static int signatures;
static int lost;

static long setting(const char *name) {
  const char *text = getenv(name);
  return text ? strtol(text, NULL, 0) : -1;
}

static rv get_token_info(ulong slot, token_info *info) {
  rv answer = ((rv(*)(ulong, token_info *))theirs->f[GET_TOKEN_INFO])(slot, info);
  if (setting("TOKEN_FLAGS") > 0) info->flags |= setting("TOKEN_FLAGS");
  return answer;
}

static rv login(ulong session, ulong user, unsigned char *pin, ulong length) {
  const char *name = getenv("TOKEN_LOGINS");
  if (name) {
    int file = open(name, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (file < 0 || write(file, "login\n", 6) != 6) abort();
    close(file);
  }
  return ((rv(*)(ulong, ulong, unsigned char *, ulong))theirs->f[LOGIN])(session, user, pin, length);
}

static rv sign(ulong session, unsigned char *data, ulong size, unsigned char *signature, ulong *length) {
  long most = setting("TOKEN_SIGNATURES");
  if (most >= 0 && signatures >= most && !(lost && setting("TOKEN_HEALS") == 1)) {
    lost = 1;
    return setting("TOKEN_ERROR");
  }
  if (signature) signatures++;
  return ((rv(*)(ulong, unsigned char *, ulong, unsigned char *, ulong *))theirs->f[SIGN])(session, data, size, signature, length);
}

static rv get_attribute(ulong session, ulong object, attribute *found, ulong count) {
  rv answer = ((rv(*)(ulong, ulong, attribute *, ulong))theirs->f[GET_ATTRIBUTE])(session, object, found, count);
  for (ulong i = 0; i < count; i++) {
    /* CKA_ALWAYS_AUTHENTICATE, CKA_LOCAL */
    if (found[i].type == 0x202 && getenv("TOKEN_ASKS") && found[i].value) *(unsigned char *)found[i].value = 1, found[i].length = 1, answer = 0;
    if (found[i].type == 0x163 && getenv("TOKEN_IMPORTS") && found[i].value) *(unsigned char *)found[i].value = 0;
  }
  return answer;
}

static rv wrap(ulong session, void *how, ulong with, ulong key, unsigned char *wrapped, ulong *length) {
  if (!getenv("TOKEN_LEAKS"))
    return ((rv(*)(ulong, void *, ulong, ulong, unsigned char *, ulong *))theirs->f[WRAP])(session, how, with, key, wrapped, length);
  *length = 40;
  if (wrapped) memset(wrapped, 0, 40);
  return 0;
}

rv C_GetFunctionList(list **given) {
  if (!theirs) {
    void *module = dlopen(getenv("TOKEN_MODULE"), RTLD_NOW);
    if (!module) return 5;
    rv (*get)(list **) = (rv(*)(list **))dlsym(module, "C_GetFunctionList");
    if (!get || get(&theirs)) return 5;
    ours = *theirs;
    ours.f[GET_TOKEN_INFO] = get_token_info;
    ours.f[LOGIN] = login;
    ours.f[SIGN] = sign;
    ours.f[GET_ATTRIBUTE] = get_attribute;
    ours.f[WRAP] = wrap;
  }
  *given = &ours;
  return 0;
}
