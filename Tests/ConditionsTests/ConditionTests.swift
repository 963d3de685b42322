import Conditions
import Testing

@Suite struct ConditionTests {
    @Test func `a vector above its threshold satisfies the condition`() throws {
        #expect(try Condition("result[0] >= 0.95").holds(for: .vector([0.96])))
    }
}
