#ifndef ROLLBOOK_CLIBCURL_H
#define ROLLBOOK_CLIBCURL_H

// libcurl as Swift can call it. The option setters of libcurl are variadic, which Swift does not import; each shim
// below fixes the one type a call may pass. The type-checking macros of curl.h only work on constant options.
#define CURL_DISABLE_TYPECHECK 1
#include <curl/curl.h>

// The macros of the same names would wrap the calls below when compiled without the line above.
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

static inline CURLcode rollbook_curl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode rollbook_curl_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode rollbook_curl_set_string(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode rollbook_curl_set_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode rollbook_curl_set_list(CURL *easy, CURLoption option, struct curl_slist *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode rollbook_curl_set_callback(
    CURL *easy, CURLoption option, size_t (*callback)(char *, size_t, size_t, void *)) {
    return curl_easy_setopt(easy, option, callback);
}

// Macros with casts do not reach Swift.
static const long rollbook_curl_auth_basic = (long)CURLAUTH_BASIC;

// libcurl copies the bytes before this returns.
static inline CURLcode rollbook_curl_set_blob(CURL *easy, CURLoption option, const void *bytes, size_t count) {
    struct curl_blob blob;
    blob.data = (void *)bytes;
    blob.len = count;
    blob.flags = CURL_BLOB_COPY;
    return curl_easy_setopt(easy, option, &blob);
}

// http and https only, at the start and after any redirect.
static inline CURLcode rollbook_curl_allow_only_http(CURL *easy) {
    CURLcode code;
#if LIBCURL_VERSION_NUM >= 0x075500
    code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
    code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    return code;
}

// Without this, taking a transfer away while its name is being resolved waits for the resolver's thread.
static inline CURLcode rollbook_curl_leave_resolver_behind(CURL *easy) {
#if LIBCURL_VERSION_NUM >= 0x075700
    return curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#else
    (void)easy;
    return CURLE_OK;
#endif
}

static inline long rollbook_curl_get_long(CURL *easy, CURLINFO info) {
    long value = 0;
    if (curl_easy_getinfo(easy, info, &value) != CURLE_OK) return 0;
    return value;
}

static inline curl_off_t rollbook_curl_get_offset(CURL *easy, CURLINFO info) {
    curl_off_t value = 0;
    if (curl_easy_getinfo(easy, info, &value) != CURLE_OK) return 0;
    return value;
}

// Valid until the handle is cleaned up or used again; may be null.
static inline const char *rollbook_curl_get_string(CURL *easy, CURLINFO info) {
    char *value = NULL;
    if (curl_easy_getinfo(easy, info, &value) != CURLE_OK) return NULL;
    return value;
}

static inline CURLMcode rollbook_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}

// The next finished transfer and its outcome; null when none is left.
static inline CURL *rollbook_curl_multi_next_done(CURLM *multi, CURLcode *outcome) {
    int left = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            *outcome = message->data.result;
            return message->easy_handle;
        }
    }
    return NULL;
}

#endif
