import Delivery
import EventSourcing
import Testing

@testable import Ledger

@Suite struct RolloutTablesTests {
    @Test func `images are written as canonical JSON, whatever their names hold`() throws {
        for image in ["", "nginx", "r.example/a:1.2@sha256:0f", #"a"b"#, #"a\b"#, "ä", "a\nb", "a\u{7F}b", "a b"] {
            let one = CanonicalJSON.text([["image": image]])
            let name = one.dropFirst(#"[{"image":"#.count).dropLast(2)
            let texts = [
                "[]", #"[{"image":\#(name),"roles":[]}]"#, #"[{"image":\#(name),"roles":["canary","stable"]}]"#,
                #"[{"image":"first","roles":["canary"]},{"image":\#(name),"roles":["stable"]}]"#,
            ]
            for text in texts {
                let views = try CanonicalJSON.read([ImageView].self, from: text)
                #expect(RolloutTables.text(views) == text)
                #expect(CanonicalJSON.text(views) == text)
            }
            #expect(RolloutTables.text([image: image]) == CanonicalJSON.text([image: image]))
        }
    }
}
