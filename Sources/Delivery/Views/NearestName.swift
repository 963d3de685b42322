/// Finds the name that was probably meant.
public enum NearestName {
    /// The name among `names` that is most like `word`, if one is near enough to be meant.
    public static func of(_ word: String, among names: some Sequence<String>) -> String? {
        ManifestFindings.nearest(to: word, among: names)
    }
}
