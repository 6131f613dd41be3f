extension Schema {
  /// Where results of projects may be archived to. In `jobs.removed` the bit 4 is new: the result
  /// was restored from an archive.
  static let version8 = """
    CREATE TABLE export_policies (
      tenant TEXT NOT NULL,
      project TEXT NOT NULL,
      destinations BLOB NOT NULL,
      PRIMARY KEY (tenant, project),
      FOREIGN KEY (tenant, project) REFERENCES projects (tenant, name)
    ) STRICT, WITHOUT ROWID;
    """
}
