extension Schema {
  /// Who keeps a waiting job from its start; until now the reason told that it was paused.
  static let version10 = """
    -- Bits: 1 paused, 2 held by an operator.
    ALTER TABLE jobs ADD COLUMN withheld INTEGER NOT NULL DEFAULT 0;
    UPDATE jobs SET withheld = 1 WHERE status = 2 AND reason = 'PAUSED';
    """
}
