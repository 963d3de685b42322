import Testing

@testable import Transfer

@Suite struct RedactionTests {
    @Test(arguments: [
        ("http://user:pa@host/p?q=1", "http://<redacted>@host/p?q=1"),
        ("http://host/p?api_key=abc&q=up&token=x%20y", "http://host/p?api_key=<redacted>&q=up&token=<redacted>"),
        ("https://host/?API-Key=abc#frag", "https://host/?API-Key=<redacted>"),
        ("http://u:p/a@host/x", "http://<redacted>@host/x"),
        ("not a url", "not a url"),
    ]) func `an address is shown without its secrets`(url: String, shown: String) {
        #expect(Redaction.url(url) == shown)
    }

    @Test func `a secret path is hidden with its query`() {
        #expect(
            Redaction.url("https://hooks.example/services/T0/B0/xyz?a=b", hidingPath: true)
                == "https://hooks.example/<redacted>?<redacted>")
    }
}
